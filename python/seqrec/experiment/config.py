"""RunConfig: everything that decides what a training run computes, and its defaults.

A run is one cell of the comparison: a model and a task. Tables that have no meaning for the cell
are not part of its config, so that setting one is an error instead of a knob that does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqrec import config
from seqrec.batches import ClozeConfig, NegativeConfig, WindowConfig
from seqrec.data import NegativesKind, Split
from seqrec.errors import ConfigError
from seqrec.evaluation import RELEVANCE_METRICS, EvalConfig
from seqrec.models import BERT4RecConfig, LSTMConfig
from seqrec.training import ObjectiveConfig, TrainConfig, choose_device, has_bf16

ModelName = Literal["lstm", "bert4rec"]
TaskName = Literal["next_item", "relevance"]
MODELS: tuple[ModelName, ...] = ("lstm", "bert4rec")
TASKS: tuple[TaskName, ...] = ("next_item", "relevance")
MAX_STD = 1e6  # any size that a weight can have: far larger ones are no float32
MAX_WINDOW = 1024  # the kernel that counts pairs takes no larger one (rust/core/src/pairs.rs)
OPTIONAL = ("lstm", "bert4rec", "cloze", "relevance", "negatives")  # tables, by model and task
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
SHORT_HISTORY = 32  # items of a user in the training part, on average
FEW_ACTIONS = 200_000  # in the training part
MOST_PREFIXES = 10_000_000  # the plan of an epoch keeps each in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConfig:
    """Where the item vectors and the biases of the items start.

    Attributes:
        item_vectors: "svd": a truncated SVD of the positive pointwise mutual information of items
            that stand near each other in the training sequences, weighted by 1 / distance.
            "random": the model's own initialisation.
        window: how far apart such items may stand; None: 50 places, or fewer where that would be
            more than 2^27 pairs of places; "svd" alone.
        std: the standard deviation that the vectors are scaled to; "svd" alone; 0.03 with
            `windows.windows` "prefixes", and where the LSTM's vectors are 512 wide by default.
        biases: "popularity": log(N p) of each item, p its share of the training actions and N their
            number, which is the logit without regard to the user. "zero": 0. Less log n for "bce"
            and "gbce", whose targets stand against the n negatives of a batch. A model without
            biases (BERT4Rec with the candidate inside) does not use it. "popularity" with
            `windows.windows` "prefixes".
    """

    item_vectors: Literal["svd", "random"] = "svd"
    window: int | None = None
    std: float = 0.05
    biases: Literal["popularity", "zero"] = "popularity"

    def __post_init__(self) -> None:
        fits = self.window is None or 1 <= self.window <= MAX_WINDOW
        config.check(fits, "start.window", self.window, f"from 1 to {MAX_WINDOW}")
        config.check(0 < self.std <= MAX_STD, "start.std", self.std, f"above 0, at most {MAX_STD}")
        named = ("popularity", "zero")
        config.check(self.biases in named, "start.biases", self.biases, f"one of {named}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceConfig:
    """Which targets BERT4Rec's relevance rows have.

    Attributes:
        targets_per_user: target positions of a user in an epoch, drawn anew in each; all of them
            where the user has no more. Each is one row for itself and one for its negative.
    """

    targets_per_user: int = 16

    def __post_init__(self) -> None:
        config.check(
            1 <= self.targets_per_user < 2**31,
            "relevance.targets_per_user", self.targets_per_user, "at least 1 and below 2^31",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One training run. Tables that are None have no meaning for this model and task."""

    model: ModelName
    task: TaskName
    lstm: LSTMConfig | None = None
    bert4rec: BERT4RecConfig | None = None
    windows: WindowConfig = field(default_factory=WindowConfig)
    cloze: ClozeConfig | None = None
    relevance: RelevanceConfig | None = None
    negatives: NegativeConfig | None = None
    start: StartConfig = field(default_factory=StartConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvalConfig = field(default_factory=EvalConfig)

    def __post_init__(self) -> None:
        given = {table for table in OPTIONAL if getattr(self, table) is not None}
        _refuse_foreign(given, self.model, self.task, self.objective.loss)
        missing = _tables(self.model, self.task, self.objective.loss) - given
        if missing:
            raise ConfigError(f"table [{min(missing)}] is missing for {self.model} on {self.task}")
        if self.bert4rec is not None:
            config.check(
                self.bert4rec.max_seq_len == self.windows.max_seq_len,
                "bert4rec.max_seq_len", self.bert4rec.max_seq_len,
                f"left out, or windows.max_seq_len, which is {self.windows.max_seq_len}",
            )  # fmt: skip
        if self.relevance is not None:
            config.check(
                self.windows.windows == WindowConfig().windows,
                "windows.windows", self.windows.windows,
                "left out for BERT4Rec's relevance, whose rows end where relevance.targets_per_user"
                " draws a target",
            )  # fmt: skip
        if self.task == "next_item" and self.negatives is not None:
            self.negatives.check_sampled()
        self._check_evaluation()

    def _check_evaluation(self) -> None:
        """Refuses before training what would only come to light after it."""
        if self.task == "relevance":
            unset = EvalConfig()
            for name in ("k", "ties", "lists"):
                value = getattr(self.evaluation, name)
                rule = "left out for relevance, which ranks nothing"
                config.check(value == getattr(unset, name), f"evaluation.{name}", value, rule)
            alpha = 1.0 if self.negatives is None else self.negatives.pop_alpha
            rule = "1 for relevance, which is judged on negatives drawn by the counts themselves"
            config.check(alpha == 1, "negatives.pop_alpha", alpha, rule)
        measured = RELEVANCE_METRICS if self.task == "relevance" else self.evaluation.metrics
        monitor = self.training.monitor
        config.check(
            monitor in measured,
            "training.monitor", monitor, f"what validation measures: {', '.join(measured)}",
        )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """What decides the weights and the numbers, as plain values."""
        return {**config.to_dict(self), "training": self.training.identity()}

    @property
    def negatives_of_a_target(self) -> int:
        """The drawn items that a target stands against: one, or of next item those of its batch."""
        if self.task == "relevance" or self.negatives is None:
            return 1
        return self.training.batch_size * self.negatives.num_negatives

    @property
    def negatives_kind(self) -> NegativesKind:
        """The negatives that a relevance run is judged on: those it is trained with."""
        return "uniform" if self.negatives is None else self.negatives.neg_sampling


def _tables(model: str, task: str, loss: str) -> set[str]:
    """The optional tables that a cell reads."""
    tables = {model}
    if task == "relevance":
        tables.add("negatives")
        if model == "bert4rec":
            tables.add("relevance")
    else:
        if model == "bert4rec":
            tables.add("cloze")
        if loss != "ce":
            tables.add("negatives")
    return tables


def _refuse_foreign(given: Collection[str], model: str, task: str, loss: str) -> None:
    """Raises ConfigError for an optional table that the cell does not read."""
    for table in OPTIONAL:
        if table in given and table not in _tables(model, task, loss):
            raise ConfigError(
                f"table [{table}] has no meaning for {model} on {task} with loss {loss!r}: "
                "leave it out"
            )


def defaults(
    model: ModelName, task: TaskName, *, loss: str | None = None, k: int = EvalConfig().k
) -> dict[str, Any]:
    """The default tables of one cell: what a recipe and the flags are laid over.

    Args:
        model: which model.
        task: which task.
        loss: `objective.loss` that is asked for, which decides what other tables there are.
        k: `evaluation.k` that is asked for, which names the metric to watch.

    Raises:
        ConfigError: for an unknown model or task, with the nearest name.
    """
    if model not in MODELS:
        raise config.unknown_value("model", model, MODELS)
    if task not in TASKS:
        raise config.unknown_value("task", task, TASKS)
    loss = loss or ("ce" if task == "next_item" else "bce")
    tables: dict[str, Any] = {"model": model, "task": task, "objective": {"loss": loss}}
    for table in sorted(_tables(model, task, loss)):
        tables[table] = {}
    tables["training"] = {"monitor": "accuracy" if task == "relevance" else f"ndcg@{k}"}
    if task == "next_item" and loss != "ce":
        tables["negatives"] = {"num_negatives": 64}
    return config.merge(tables, CELL_DEFAULTS[model, task])


def data_defaults(asked: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """The default tables that depend on what is trained on, laid over those of the cell.

    The LSTM's next item has `WIDE` vectors for 10,000 to 100,000 items, where the training part has
    ten actions or more of each, on average. Its relevance is for `SHORT` histories where a user has
    32 training actions or fewer, on average; where nobody took an item twice it is `NARROW` as well
    if all users together have 200,000 or fewer, and BERT4Rec's drops more (`UNCERTAIN`). BERT4Rec's
    next item learns from `PREFIXES` where histories are short or all users together have so few,
    unless there are more than ten million, or `asked` has a cloze or other windows. Prefixes have
    `SMOOTHED` targets where nobody took an item twice and the loss is "ce".
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
        return UNCERTAIN if short and split.filter_seen else {}
    return _cloze_defaults(asked, split, few=short or few)


def _cloze_defaults(asked: Mapping[str, Any], split: Split, *, few: bool) -> dict[str, Any]:
    """Those of BERT4Rec's next item; `few`: whether there is time for all prefixes of the data."""
    windows = _asked(asked, "windows", "windows")
    few = few and split.train.n_events <= MOST_PREFIXES
    free = windows is None and "cloze" not in asked
    if windows != "prefixes" and not (free and few):
        return {}
    full = _asked(asked, "objective", "loss") in (None, "ce")
    return PREFIXES | SMOOTHED if full and split.filter_seen else PREFIXES


def machine_defaults(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The default tables that depend on what trains: bfloat16 where the device has it.

    Raises:
        ResourceError: if this machine lacks the device that is `asked` for.
    """
    device = choose_device(_asked(asked, "training", "device") or TrainConfig().device)
    return {"training": {"precision": "bf16"}} if has_bf16(device) else {}


def resolve(
    layers: Mapping[str, Mapping[str, Any]], split: Split | None = None
) -> tuple[RunConfig, dict[str, str]]:
    """The config of named layers laid over the defaults, and where each set value came from.

    `layers` maps a name ("recipe", "--set", ...) to tables; later layers win. The layers together
    must say the model and the task. `split` is what will be trained on, here: both have a say in
    the defaults; without it they are those of most data and of any machine.
    """
    for name, tables in layers.items():
        config.check(isinstance(tables, Mapping), name, tables, "tables of options")
    asked = config.merge(*layers.values())
    for key in ("model", "task"):
        if key not in asked:
            raise ConfigError(f"option `{key}` is missing: name it in the recipe or by --{key}")
    loss, k = _asked(asked, "objective", "loss"), _asked(asked, "evaluation", "k")
    base = defaults(asked["model"], asked["task"], loss=loss, k=k or EvalConfig().k)
    fitting = {} if split is None else data_defaults(asked, split)
    native = {} if split is None else machine_defaults(asked)
    tables = config.merge(base, fitting, native, asked)
    # Before its options are read: what is wrong with them is not what is wrong.
    _refuse_foreign(tables, asked["model"], asked["task"], base["objective"]["loss"])
    if "bert4rec" in tables and asked["model"] == "bert4rec":
        # The length of a row is said once, with the windows; the model has to agree.
        length = _asked(tables, "windows", "max_seq_len") or WindowConfig().max_seq_len
        if isinstance(tables["bert4rec"], dict):
            tables["bert4rec"].setdefault("max_seq_len", length)
    by_default = {
        "default": base, "default for this data": fitting, "default for this machine": native,
    }  # fmt: skip
    return config.read(RunConfig, tables), config.origins({**by_default, **layers})


def _asked(tables: Mapping[str, Any], table: str, option: str) -> Any:
    """The value of an option that some layer sets, else None; `read` refuses what is no table."""
    options = tables.get(table)
    return options.get(option) if isinstance(options, Mapping) else None


def to_toml(run: RunConfig, origins: Mapping[str, str]) -> str:
    """Every option as TOML, with a comment that says where it came from."""
    tables = config.to_dict(run)
    lines = [f'{key} = "{tables.pop(key)}"' for key in ("model", "task")]
    for table, options in tables.items():
        lines += ["", f"[{table}]"]
        for key, value in options.items():
            origin = origins.get(f"{table}.{key}", "default")
            text = "" if value is None else config.toml_value(value)
            shown = f"{key} = {text}" if text else f"# {key} is not set"
            lines.append(f"{shown:<40} # {origin}")
    return "\n".join(lines)
