"""The defaults of a run: by its cell, by the data that it is trained on and by the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqrec import config
from seqrec.data import Split
from seqrec.evaluation import EvalConfig
from seqrec.experiment.cells import ModelName, TaskName, check_cell, tables_of
from seqrec.training import TrainConfig, choose_device, has_bf16

# Where a cell does better with other values than those of the classes (docs/experiments.md). Next
# item wants wide item vectors, whose product with the user has to tell all items apart, and half of
# them dropped; the LSTM's gains from windows of which an epoch shows little twice. Relevance
# overfits within a few epochs on sparse data, and BERT4Rec's there keeps more of what its item
# vectors start with at a low rate, and wants more dropout. Its cloze hides enough to want none,
# gains from layers that begin with little to say, and does worse with biases that start at
# popularity.
# A warm-up is for recipes: on a small data set a hundred steps are the whole run.
CELL_DEFAULTS: dict[tuple[ModelName, TaskName], dict[str, dict[str, Any]]] = {
    ("lstm", "next_item"): {
        "lstm": {"embedding_dim": 256, "dropout": 0.5, "output_dropout": 0.5},
        "windows": {"windows": "shifted"},
    },
    ("lstm", "relevance"): {
        "lstm": {"output_dropout": 0.2},
        "training": {"epochs": 10},
    },
    ("bert4rec", "next_item"): {
        "bert4rec": {"layer_scale": 0.1},
        "start": {"biases": "zero"},
        "training": {"lr": 2e-3, "betas": [0.9, 0.98]},
    },
    ("bert4rec", "relevance"): {
        "bert4rec": {"dropout": 0.3},
        "relevance": {"targets_per_user": 32},
        "training": {"epochs": 10, "batch_size": 256, "lr": 5e-4, "betas": [0.9, 0.98]},
    },
}

# To tell many items apart the LSTM's next item wants wider vectors still, if the training part has
# what it takes to fill them, and a shorter start with them. Then fewer epochs are as good, and
# larger batches, for which the many weights are moved less often. A larger catalogue would want
# memory first.
WIDE = {
    "lstm": {"embedding_dim": 512},
    "start": {"std": 0.03},
    "training": {"epochs": 8, "batch_size": 128},
}
WIDE_CATALOGUES = range(10_000, 100_001)
WIDE_ACTIONS = 10  # of an item in the training part, on average

# What is known of a short history is needed, none of it dropped, and a state of half the width
# knows the rows of relevance by heart later.
SHORT = {"lstm": {"hidden_size": 256, "output_dropout": 0.0}}
# Where nobody takes an item twice, what follows a short history is never certain: narrow vectors
# overfit later where actions are few as well, and so does BERT4Rec with more dropout. Where items
# are taken again, and where actions are many, vectors have to tell who follows whom
# (docs/experiments.md).
NARROW = {"lstm": {"embedding_dim": 64}}
UNCERTAIN = {"bert4rec": {"dropout": 0.5}}

# Short histories leave a cloze little to read, and much of it lies behind what it hides. Where each
# item is learned from what came before it, BERT4Rec gains from width, from a strong dropout of what
# meets the items and from biases that start at popularity. A row has one target then, where a cloze
# of a long history has eight, so those keep it (docs/experiments.md).
PREFIXES = {
    "bert4rec": {"hidden_size": 256, "dropout": 0.2, "output_dropout": 0.3, "layer_scale": 0.0},
    "windows": {"windows": "prefixes"},
    "cloze": {"last_only_prob": 1.0},
    "start": {"std": 0.03, "biases": "popularity"},
    "training": {"epochs": 8, "batch_size": 256},
}
# The same prefixes come back in each epoch, so smoothed targets overfit less; not where items are
# taken again, since such a next item is often certain.
SMOOTHED = {"objective": {"label_smoothing": 0.3}}
# What the last item of a long history has read says more than a mean where there are actions enough
# to learn it from. A row that is read up to each of its items has many targets: few of them make a
# step (docs/experiments.md).
LAST = {
    "bert4rec": {"dropout": 0.1, "output_dropout": 0.4},
    "training": {"epochs": 12, "batch_size": 64, "lr": 2e-3},
}
SHORT_HISTORY = 32  # items of a user in the training part, on average
FEW_ACTIONS = 200_000  # in the training part
MOST_PREFIXES = 10_000_000  # the plan of an epoch keeps each in memory


def defaults(
    model: ModelName,
    task: TaskName,
    *,
    loss: str | None = None,
    k: int = EvalConfig().k,
    head: str | None = None,
) -> dict[str, Any]:
    """The default tables of one cell: what a recipe and the flags are laid over.

    Args:
        model: which model.
        task: which task.
        loss: `objective.loss` that is asked for, which decides what other tables there are.
        k: `evaluation.k` that is asked for, which names the metric to watch.
        head: BERT4Rec's `relevance_head`, which decides what relevance rows are.

    Raises:
        ConfigError: for an unknown model or task, with the nearest name.
    """
    check_cell(model, task)
    loss = loss or ("ce" if task == "next_item" else "bce")
    tables: dict[str, Any] = {"model": model, "task": task, "objective": {"loss": loss}}
    for table in sorted(tables_of(model, task, loss, head)):
        tables[table] = {}
    tables["training"] = {"monitor": "accuracy" if task == "relevance" else f"ndcg@{k}"}
    if task == "next_item" and loss != "ce":
        tables["negatives"] = {"num_negatives": 64}
    cell = CELL_DEFAULTS[model, task]
    if (model, task, head) == ("bert4rec", "relevance", "last"):
        cell = config.merge({key: cell[key] for key in cell if key != "relevance"}, LAST)
    return config.merge(tables, cell)


def data_defaults(asked: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """The default tables that depend on what is trained on, laid over those of the cell.

    The LSTM's next item has `WIDE` vectors for 10,000 to 100,000 items, where the training part has
    ten actions or more of each, on average. Its relevance is for `SHORT` histories where a user has
    32 training actions or fewer, on average; where nobody took an item twice it is `NARROW` as well
    if all users together have 200,000 or fewer, and BERT4Rec's drops more (`UNCERTAIN`); where
    histories are longer and actions more, the "last" item is BERT4Rec's head. BERT4Rec's next item
    learns from `PREFIXES` where histories are short or all users together have so few, unless there
    are more than ten million, or `asked` has a cloze or other windows. Prefixes have `SMOOTHED`
    targets where nobody took an item twice and the loss is "ce".
    """
    n_items, n_actions = split.dataset.n_items, split.train.n_events
    short = n_actions <= SHORT_HISTORY * int((split.train.lengths > 0).sum())
    few = n_actions <= FEW_ACTIONS
    if asked["model"] == "lstm" and asked["task"] == "relevance":
        narrow = few and split.filter_seen
        return config.merge(SHORT, NARROW if narrow else {}) if short else {}
    if asked["model"] == "lstm":
        filled = n_items in WIDE_CATALOGUES and n_actions >= WIDE_ACTIONS * n_items
        return WIDE if filled else {}
    if asked["task"] == "relevance":
        return _relevance_defaults(asked, split, short=short, few=few)
    return _cloze_defaults(asked, split, few=short or few)


def _relevance_defaults(
    asked: Mapping[str, Any], split: Split, *, short: bool, few: bool
) -> dict[str, Any]:
    """Those of BERT4Rec's relevance; whoever asks for its targets asks for rows of one target."""
    if short:
        return UNCERTAIN if split.filter_seen else {}
    return {} if few or "relevance" in asked else {"bert4rec": {"relevance_head": "last"}}


def _cloze_defaults(asked: Mapping[str, Any], split: Split, *, few: bool) -> dict[str, Any]:
    """Those of BERT4Rec's next item; `few`: whether there is time for all prefixes of the data."""
    windows = asked_of(asked, "windows", "windows")
    few = few and split.train.n_events <= MOST_PREFIXES
    free = windows is None and "cloze" not in asked
    if windows != "prefixes" and not (free and few):
        return {}
    full = asked_of(asked, "objective", "loss") in (None, "ce")
    return PREFIXES | SMOOTHED if full and split.filter_seen else PREFIXES


def machine_defaults(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The default tables that depend on what trains: bfloat16 where the device has it.

    Raises:
        ResourceError: if this machine lacks the device that is `asked` for.
    """
    device = choose_device(asked_of(asked, "training", "device") or TrainConfig().device)
    return {"training": {"precision": "bf16"}} if has_bf16(device) else {}


def asked_of(tables: Mapping[str, Any], table: str, option: str) -> Any:
    """The value of an option that some layer sets, else None; `read` refuses what is no table."""
    options = tables.get(table)
    return options.get(option) if isinstance(options, Mapping) else None
