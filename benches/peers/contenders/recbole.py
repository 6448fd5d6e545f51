"""RecBole: its loaders, its sampler, its evaluator and its way from a file to a data set.

RecBole reads files only, so the log is written once, before any clock, as its "atomic" file.
Batches come from the loader that `data_preparation` makes: a row for every prefix of a history. Its
mask makes a negative for each hidden item; hidden items beyond mask_prob * max_seq_len are dropped.
"""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from checks import (
    cloze_fault,
    ingestion_fault,
    metrics_contender,
    negatives_fault,
    next_item_fault,
    training_contender,
)
from contract import DROPOUT, HEADS, HIDDEN, LAYERS, TRAIN_STEPS, Contender, Steps, serve, taking
from learning import Clock, Learner, in_eval, in_order, padded
from problem import LOG, K, Problem
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.data.utils import get_dataloader
from recbole.evaluator import Collector, Evaluator
from recbole.sampler import Sampler
from recbole.utils import get_model

EVAL_ROWS = 256  # users in a batch of its evaluation
COLUMNS = ("user_id:token", "item_id:token", "timestamp:float")


def config(problem: Problem, model: str, name: str, **options: Any) -> Config:
    logging.disable(logging.INFO)
    torch.set_num_threads(problem.threads)
    settings = {
        "data_path": str(problem.folder / "recbole"),
        "use_gpu": False,
        "show_progress": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "MAX_ITEM_LIST_LENGTH": problem.max_seq_len,
        "train_batch_size": problem.batch_size,
        "train_neg_sample_args": None,
        "eval_args": {
            "split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"
        },
        "metrics": ["Hit", "NDCG", "MRR"],
        "topk": [K],
        "metric_decimal_place": 8,
        **options,
    }  # fmt: skip
    return Config(model=model, dataset=name, config_dict=settings)


def atomic_file(problem: Problem, name: str, columns: dict[str, np.ndarray]) -> Path:
    """The log as RecBole's text file; written if it is not there."""
    path = problem.folder / "recbole" / name / f"{name}.inter"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(dict(zip(COLUMNS, columns.values(), strict=True)))
        frame.to_csv(path, sep="\t", index=False)
    return path


def indexed(problem: Problem) -> str:
    """The name of a data set of the internal ids, in order."""
    places = np.arange(len(problem.items)) - problem.offsets[problem.users]
    columns = {"user": problem.users, "item": problem.items, "timestamp": places}
    atomic_file(problem, "indexed", columns)
    return "indexed"


def ids(dataset: Any, field: str) -> np.ndarray:
    """Our id of each of RecBole's: 0 for its padding."""
    tokens = dataset.field2id_token[field]
    return np.array([0, *map(int, tokens[1:])])


def loader(problem: Problem, model: str, **options: Any) -> Any:
    settings = config(problem, model, indexed(problem), **options)
    return data_preparation(settings, create_dataset(settings))[0]


def cloze(problem: Problem) -> list[Contender]:
    options = {"mask_ratio": problem.mask_prob, "ft_ratio": 0.0}
    alone, found = loader(problem, "BERT4Rec", **options), []
    for workers in (0, problem.threads):
        # over one data set: its prefixes take gigabytes
        settings = config(problem, "BERT4Rec", indexed(problem), worker=workers, **options)
        batches = get_dataloader(settings, "train")(settings, alone.dataset, None, shuffle=True)
        found.append(
            Contender(
                name=f"RecBole, {workers} workers" if workers else "RecBole",
                call=taking(batches),
                check=lambda batches=batches: cloze_check(batches, problem),
                unit="batches/s",
                note="a row for every prefix; a negative for each hidden item, too",
                processes=workers,
                drain=2 * workers,
            )
        )
    return found


def cloze_check(batches: Any, problem: Problem) -> str | None:
    """RecBole's rows end with their padding and hide with the id n_items."""
    batch, names = next(iter(batches)), ids(batches.dataset, "item_id")
    original, masked = batch["item_id_list"].numpy(), batch["Mask_item_id_list"].numpy()
    real = original != 0
    hidden = masked == len(names)
    return cloze_fault(
        [names[row[r]] for row, r in zip(original, real, strict=True)],
        [row[r] for row, r in zip(hidden, real, strict=True)],
        problem,
        prefixes=True,
    )


def next_item(problem: Problem) -> list[Contender]:
    batches = loader(problem, "GRU4Rec")

    def check() -> str | None:
        batch, names = next(iter(batches)), ids(batches.dataset, "item_id")
        taken, targets = batch["item_id_list"].numpy(), batch["item_id"].numpy()
        inputs = [names[row[row != 0]] for row in taken]
        return next_item_fault(inputs, names[targets[:, None]], problem, prefixes=True)

    return [
        Contender(
            name="RecBole",
            call=taking(batches),
            check=check,
            unit="batches/s",
            note="a row for every prefix, each with one target: fewer targets in a batch",
        )
    ]


def negatives(problem: Problem) -> list[Contender]:
    n, _, weighting = problem.case.removeprefix("n=").partition(", ")
    kind = "popularity" if weighting == "popularity" else "uniform"
    dataset = create_dataset(config(problem, "BPR", indexed(problem)))
    phases = ["train", "valid", "test"]  # what test must not draw is in all three
    sampler = Sampler(phases, dataset.build(), distribution=kind).set_phase("test")
    tokens = dataset.field2token_id["user_id"]
    batches = [np.array([tokens[str(user)] for user in users]) for users in problem.batches()]

    def draw(seed: int) -> torch.Tensor:
        users = batches[seed % len(batches)]
        return sampler.sample_by_user_ids(users, None, int(n))

    def check() -> str | None:
        names = ids(dataset, "item_id")
        found = [names[draw(seed).numpy()].reshape(int(n), -1).T for seed in range(2)]
        return negatives_fault(found, problem, int(n))

    return [
        Contender(name="RecBole", call=draw, check=check, unit="M draws/s",
                  units=problem.batch_size * int(n) / 1e6)
    ]  # fmt: skip


def rank(problem: Problem) -> list[Contender]:
    """What its trainer does with the scores of a model: filter, `Collector`, `Evaluator`."""
    settings = config(problem, "BERT4Rec", "scores")
    padding = np.zeros((problem.rows, 1), np.float32)  # column 0, as its models give
    scores = torch.from_numpy(np.concatenate([padding, problem.scores], axis=1))
    targets = torch.from_numpy(problem.targets.astype(np.int64))
    rows, columns = (torch.from_numpy(array) for array in problem.seen)
    chunks = []
    for start in range(0, problem.rows, EVAL_ROWS):
        chunk = slice(start, min(start + EVAL_ROWS, problem.rows))
        inside = (rows >= chunk.start) & (rows < chunk.stop)
        history = (rows[inside] - start, columns[inside] + 1)
        chunks.append((chunk, history, torch.arange(chunk.stop - start)))
    collector, evaluator = Collector(settings), Evaluator(settings)

    def measure() -> dict[str, float]:
        for chunk, history, positives in chunks:
            batch = scores[chunk]
            batch[:, 0] = -torch.inf
            batch[history] = -torch.inf
            collector.eval_batch_collect(batch, None, positives, targets[chunk])
        found = evaluator.evaluate(collector.get_data_struct())
        return {name.lower(): value for name, value in found.items()}

    return [metrics_contender("RecBole", problem, measure, note="filters in place")]


def ingest(problem: Problem) -> list[Contender]:
    name = f"log-{problem.case}"
    atomic_file(problem, name, {column: problem.log[column] for column in LOG})
    settings = config(problem, "BERT4Rec", name)
    events = len(problem.items)

    def check() -> str | None:
        dataset = create_dataset(settings)
        feature = dataset.inter_feat
        order = np.lexsort((feature["timestamp"], feature["user_id"]))
        users = ids(dataset, "user_id")[feature["user_id"].to_numpy()[order]]
        items = ids(dataset, "item_id")[feature["item_id"].to_numpy()[order]]
        return ingestion_fault(users, items, problem)

    return [
        Contender(name="RecBole, create_dataset", call=lambda _: create_dataset(settings),
                  check=check, unit="M rows/s", units=events / 1e6,
                  note="reads its text file; the events are not sorted yet: less work"),
        Contender(name="RecBole",
                  call=lambda _: data_preparation(settings, create_dataset(settings)),
                  check=check, unit="M rows/s", units=events / 1e6,
                  note="create_dataset and data_preparation: reads its text file, writes every "
                       "prefix of every history"),
    ]  # fmt: skip


def trainee(problem: Problem, data: str) -> tuple[Any, torch.nn.Module, torch.optim.Optimizer]:
    """(batches, model, optimiser): its BERT4Rec or, for next item, its GRU4Rec."""
    name = kind(problem)
    sizes = {"hidden_size": HIDDEN, "inner_size": 4 * HIDDEN, "n_layers": LAYERS,
             "n_heads": HEADS, "hidden_dropout_prob": DROPOUT, "attn_dropout_prob": 0.0,
             "mask_ratio": problem.mask_prob, "ft_ratio": 0.0}  # fmt: skip
    if name == "GRU4Rec":
        sizes = {"embedding_size": HIDDEN, "hidden_size": 2 * HIDDEN, "num_layers": 1,
                 "dropout_prob": DROPOUT}  # fmt: skip
    settings = config(problem, name, data, **sizes)
    batches = data_preparation(settings, create_dataset(settings))[0]
    model = get_model(name)(batches.config, batches.dataset).train()
    return batches, model, torch.optim.Adam(model.parameters(), lr=1e-3)


def kind(problem: Problem) -> str:
    return "BERT4Rec" if problem.case == "bert4rec" else "GRU4Rec"


def note(problem: Problem) -> str:
    return f"{kind(problem)}, fp32, dropout {DROPOUT}; a row for every prefix"


def training(problem: Problem) -> list[Contender]:
    """Its model, its loss and its optimiser's step, without the rest of its trainer."""
    batches, model, optimizer = trainee(problem, indexed(problem))

    def run(seed: int) -> Steps:
        torch.manual_seed(seed)
        steps = Steps()
        for batch in itertools.islice(iter(batches), TRAIN_STEPS):
            hidden = batch["MASK_INDEX" if problem.case == "bert4rec" else "item_id"] > 0
            steps.arrive(int(hidden.sum()))
            steps.losses.append(train_step(model, optimizer, batch))
        return steps

    return [training_contender("RecBole", problem, run, note(problem))]


def train_step(model: Any, optimizer: torch.optim.Optimizer, batch: Any) -> float:
    optimizer.zero_grad()
    loss = model.calculate_loss(batch)
    loss.backward()
    optimizer.step()
    return loss.item()


def learners(problem: Problem) -> list[Learner]:
    def train(seed: int, clock: Clock) -> None:
        torch.manual_seed(seed)
        batches, model, optimizer = trainee(problem, held_out(problem))
        names = ids(batches.dataset, "item_id")
        codes = np.zeros(problem.n_items + 1, dtype=np.int64)
        codes[names] = np.arange(len(names))

        def scores(histories: list[np.ndarray]) -> np.ndarray:
            rows = padded([codes[h] for h in histories], problem.max_seq_len, side="right")
            lengths = torch.tensor([len(history) for history in histories])
            asked = Interaction({"item_id_list": torch.from_numpy(rows), "item_length": lengths})
            with torch.no_grad(), in_eval(model):
                found = model.full_sort_predict(asked).numpy()
            return in_order(found[:, 1:], names[1:], problem)

        for epoch in itertools.count():
            for batch in batches:
                clock.step(epoch, scores)
                train_step(model, optimizer, batch)

    return [Learner(name=f"recbole-{problem.case}", train=train, note=note(problem))]


def held_out(problem: Problem) -> str:
    """The name of a data set with two events more of each user: its split keeps them apart."""
    users = np.arange(problem.n_users)
    last = np.diff(problem.offsets)
    items = problem.array("valid_targets")
    places = np.arange(len(problem.items)) - problem.offsets[problem.users]
    columns = {
        "user": np.concatenate([problem.users, users, users]),
        "item": np.concatenate([problem.items, items, items]),
        "timestamp": np.concatenate([places, last, last + 1]),
    }
    atomic_file(problem, "held-out", columns)
    return "held-out"


if __name__ == "__main__":
    serve("recbole", {
        "cloze": cloze, "next_item": next_item, "negatives": negatives, "rank": rank,
        "evaluate": rank, "ingest": ingest, "training": training,
    }, learners)  # fmt: skip
