"""A whole evaluation, scores given: every user's rank, the means, and a table of users.

Up to 6,040 users in batches of 256, the history filtered; hit, ndcg and mrr at 10. Without the
bootstrap, which no other library has. What comes out are the three means and the table, an Arrow or
pandas one with the raw ids of users and targets, the rank and the metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray

from seqrec.bench import jit
from seqrec.bench.contender import Contender, Job, Lineup
from seqrec.bench.faults import equal_fault
from seqrec.bench.jobs.rank import count_above_compiled
from seqrec.bench.scores import (
    GATHERED,
    K,
    Scored,
    counting,
    distinct,
    expected_ranks,
    masking,
    metrics_at,
    places_in_top,
    planted_scores,
)
from seqrec.bench.shapes import Problem
from seqrec.data import Dataset, Part, Sequences, Split, Vocabulary
from seqrec.data.pairs import is_positive
from seqrec.evaluation import EvalConfig, evaluate_next_item

USERS = 6_040
LARGEST_SCORES = 1 << 30  # bytes; fewer users are evaluated where all would take more
BATCH = 256
METRICS = [f"hit@{K}", f"ndcg@{K}", f"mrr@{K}"]
Evaluation = tuple[Any, pd.DataFrame | pa.Table]  # (three means, a row for each user)


def evaluate(problem: Problem) -> Iterator[Job]:
    """Users a second, in thousands."""
    dataset = to_dataset(problem)
    split = dataset.split()
    data, part = _scored(problem, split)
    lineup = Lineup(ours(data, split, part))
    tables = _Tables(data, dataset)
    lineup.add("numba + pandas", jit.why_not(), lambda: _numba(data, tables))
    lineup.made += [_numpy(data, tables), _torch(data, tables)]
    yield Job(
        name="evaluate",
        case=f"{len(data.users):,} users",
        unit="k users/s",
        contenders=lineup.made,
        absent=lineup.absent,
        fault=partial(_fault, wanted=tables(expected_ranks(data, 0))),
        work=data.work,
    )


def to_dataset(problem: Problem) -> Dataset:
    """The problem as a data set: items that nobody has taken are left out."""
    part = problem.sequences
    _, places = part.places()
    return Dataset.from_events(
        np.append(0, np.cumsum(part.lengths)), part.items[places] - 1, problem.times[places],
        Vocabulary.from_integers(np.arange(part.n_users)),
        Vocabulary.from_integers(np.arange(1, problem.n_items + 1)), {},
    )  # fmt: skip


def _scored(problem: Problem, split: Split) -> tuple[Scored, Part]:
    whole, n_items = split.test, split.dataset.n_items
    new = is_positive(whole)  # a target that was taken before is a miss, whatever its score
    n = min(USERS, int(new.sum()), LARGEST_SCORES // (4 * n_items))
    users, targets = whole.users[new][:n].copy(), whole.targets[new][:n].copy()
    rng = np.random.default_rng([problem.sizes.seed, 3])
    inputs = distinct(whole.inputs)
    scores = planted_scores(rng, inputs, users, targets, n_items)
    data = Scored(blocks=[scores], inputs=inputs, users=users, targets=targets, case="")
    return data, Part("test", users, whole.inputs, targets)


def _fault(contender: Contender, wanted: tuple[NDArray[np.float64], pd.DataFrame]) -> str | None:
    """Means and table, of which ranks beyond K are all one: who lists K items knows no more."""
    means, table = contender.call(0)
    if not isinstance(table, pd.DataFrame | pa.Table):
        return "there is no table of users"
    fault = equal_fault("means", np.asarray(means), wanted[0], tolerance=1e-6)
    for name, column in wanted[1].items():
        if name not in (table.columns if isinstance(table, pd.DataFrame) else table.column_names):
            return f"the table has no column {name}"
        found, expected = np.asarray(table[name]), column.to_numpy()
        if name == "rank":
            found, expected = np.minimum(found, K + 1), np.minimum(expected, K + 1)
        fault = fault or equal_fault(str(name), found, expected, tolerance=1e-6)
    return fault


def ours(data: Scored, split: Split, part: Part) -> Contender:
    """`evaluate_next_item`, its values and its table."""
    places = np.zeros(part.inputs.n_users, dtype=np.int64)
    places[data.users] = np.arange(len(data.users))
    config = EvalConfig(filter_seen=True, k=K)

    def score(_: Sequences, users: NDArray[np.int32]) -> NDArray[np.float32]:
        first = places[users[0]]
        return data.blocks[0][first : first + len(users)]

    def call(_seed: int) -> Evaluation:
        result = evaluate_next_item(score, split, part, config)
        values = result.values()
        table = result.table(split.dataset.user_ids, split.dataset.item_ids)
        return [values[name] for name in METRICS], table

    return Contender(name="seqrec", call=call, package="seqrec", units=data.thousands)


class _Tables:
    """The table of users, with pandas."""

    def __init__(self, data: Scored, dataset: Dataset) -> None:
        self.user_ids = dataset.user_ids.decode(data.users)
        self.targets = dataset.item_ids.decode(data.targets - 1)

    def __call__(self, ranks: NDArray[Any]) -> tuple[NDArray[np.float64], pd.DataFrame]:
        metrics = metrics_at(ranks)
        columns = {"user_id": self.user_ids, "target": self.targets, "rank": ranks}
        table = pd.DataFrame({**columns, **dict(zip(METRICS, metrics.T, strict=True))})
        return table[METRICS].mean().to_numpy(), table


def _chunks(data: Scored) -> list[Scored]:
    return [
        Scored(
            blocks=[data.blocks[0][at : at + BATCH]], inputs=data.inputs,
            users=data.users[at : at + BATCH], targets=data.targets[at : at + BATCH], case="",
        )
        for at in range(0, len(data.users), BATCH)
    ]  # fmt: skip


def _numba(data: Scored, tables: _Tables) -> Contender:
    above, part = np.empty(len(data.users), dtype=np.int64), data.inputs

    def call(_seed: int) -> Evaluation:
        for place, chunk in enumerate(_chunks(data)):
            count_above_compiled(
                chunk.blocks[0], chunk.targets, part.items, part.starts, part.stops, chunk.users,
                above[place * BATCH : place * BATCH + len(chunk.users)],
            )  # fmt: skip
        return tables(1 + above)

    return Contender(name="numba + pandas", call=call, package="numba", units=data.thousands)


def _numpy(data: Scored, tables: _Tables) -> Contender:
    chunks = [(chunk.blocks[0], counting(chunk)) for chunk in _chunks(data)]

    def call(_seed: int) -> Evaluation:
        found = [count_above(scores) for scores, count_above in chunks]
        return tables(1 + np.concatenate(found))

    return Contender(name="NumPy + pandas", call=call, units=data.thousands, note=GATHERED)


def _torch(data: Scored, tables: _Tables) -> Contender:
    """Ten best items by torch, the usual way; ranks beyond ten are not known."""
    chunks = [(chunk, masking(chunk)) for chunk in _chunks(data)]

    def call(_seed: int) -> Evaluation:
        found = []
        for chunk, mask in chunks:
            scores = torch.from_numpy(chunk.blocks[0]).clone()
            mask(scores)
            found.append(places_in_top(scores, torch.from_numpy(chunk.targets)[:, None] - 1))
        return tables(1 + torch.cat(found).numpy())

    return Contender(
        name="torch topk + pandas", call=call, package="torch", units=data.thousands,
        note=f"a copy of each batch is masked: scores are given; {GATHERED}",
    )  # fmt: skip
