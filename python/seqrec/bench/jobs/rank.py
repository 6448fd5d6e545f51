"""The rank of each user's target among the items that the user has not taken.

Scores float32 [R, N] are given; what comes out is hit, ndcg and mrr at 10 of every row: float64
[R, 3]. Who finds the ten best items does that job too; who counts knows every rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, outputs
from seqrec.bench.faults import equal_fault
from seqrec.bench.jit import prange
from seqrec.bench.scores import (
    GATHERED,
    K,
    Scored,
    counting,
    expected_ranks,
    masking,
    metrics_at,
    places_in_top,
    scored,
)
from seqrec.bench.shapes import Problem
from seqrec.errors import DataError
from seqrec.evaluation.ranking import count, ranks


def rank(problem: Problem) -> Iterator[Job]:
    """Rows a second, in thousands."""
    for data in scored(problem):
        lineup = Lineup(ours(data))
        lineup.add("numba", jit.why_not(), partial(_numba, data))
        lineup.add("numba, ties", jit.why_not(), partial(_numba_ties, data))
        lineup.made += [_numpy(data), _torch_count(data), _torch_topk(data)]
        lineup.add(twin.NAME, twin.why_not(), partial(_twin, data))
        yield Job(
            name="rank",
            case=data.case,
            unit="k rows/s",
            contenders=lineup.made,
            absent=lineup.absent,
            fault=partial(_fault, metrics_at(expected_ranks(data, 0))),
            work=data.work,
        )


def _fault(wanted: NDArray[np.float64], contender: Contender) -> str | None:
    ((found,),) = outputs(contender, (0,))
    return equal_fault("metrics", found, wanted[: len(found)], tolerance=1e-6)


def ours(data: Scored) -> Contender:
    """As `evaluate_next_item` does it."""

    def call(seed: int) -> tuple[Any]:
        scores = data.block(seed)
        found = count(scores, data.targets, data.inputs, data.users, filter_seen=True)
        return (_core.rank_metrics(ranks(found, "mean"), K),)

    return Contender(name="seqrec", call=call, package="seqrec", units=data.thousands)


def _numba(data: Scored) -> Contender:
    above = np.empty(len(data.users), dtype=np.int64)
    part = data.inputs

    def call(seed: int) -> tuple[Any]:
        count_above_compiled(
            data.block(seed), data.targets, part.items, part.starts, part.stops, data.users, above
        )
        return (metrics_at(1 + above),)

    return Contender(name="numba", call=call, package="numba", units=data.thousands)


def _numba_ties(data: Scored) -> Contender:
    """What seqrec's rank is made of, although no score of the job is tied, or not finite."""
    greater, equal = np.empty((2, len(data.users)), dtype=np.int64)
    part = data.inputs

    def call(seed: int) -> tuple[Any]:
        finite = count_ties_compiled(
            data.block(seed), data.targets, part.items, part.starts, part.stops, data.users,
            greater, equal,
        )  # fmt: skip
        if not finite:
            raise DataError("scores must be finite")
        return (metrics_at(1 + greater + equal / 2),)

    return Contender(
        name="numba, ties", call=call, package="numba", units=data.thousands,
        note="counts ties and looks for NaN, as seqrec does",
    )  # fmt: skip


def _numpy(data: Scored) -> Contender:
    count_above = counting(data)

    def call(seed: int) -> tuple[Any]:
        return (metrics_at(1 + count_above(data.block(seed))),)

    return Contender(name="NumPy, count", call=call, units=data.thousands, note=GATHERED)


def _torch_count(data: Scored) -> Contender:
    blocks, mask = [torch.from_numpy(block) for block in data.copies()], masking(data)
    columns = torch.from_numpy(data.targets.astype(np.int64) - 1)[:, None]

    def call(seed: int) -> tuple[Any]:
        scores = blocks[seed % len(blocks)]
        mask(scores)
        above = (scores > scores.gather(1, columns)).sum(dim=1)
        return (metrics_at(1 + above.numpy()),)

    return Contender(
        name="torch, mask + count", call=call, package="torch", units=data.thousands,
        note=f"masks in place, {GATHERED}",
    )  # fmt: skip


def _torch_topk(data: Scored) -> Contender:
    blocks, mask = [torch.from_numpy(block) for block in data.copies()], masking(data)
    targets = torch.from_numpy(data.targets.astype(np.int64) - 1)[:, None]

    def call(seed: int) -> tuple[Any]:
        scores = blocks[seed % len(blocks)]
        mask(scores)
        return (metrics_at(1 + places_in_top(scores, targets).numpy()),)

    return Contender(
        name="torch, mask + topk", call=call, package="torch", units=data.thousands,
        note=f"masks in place, {GATHERED}",
    )  # fmt: skip


def _twin(data: Scored) -> Contender:
    rank_counts = twin.part("ranks").rank_counts
    rows = data.twin_rows
    seen = [set(data.inputs.user(user).tolist()) for user in data.users[:rows]]

    def call(seed: int) -> tuple[Any]:
        scores = data.block(seed)
        pairs = zip(data.targets[:rows].tolist(), seen, strict=True)
        counts = [rank_counts(scores[row], *pair) for row, pair in enumerate(pairs)]
        return (metrics_at(np.array([1 + greater + equal / 2 for greater, equal, _ in counts])),)

    return Contender(name=twin.NAME, call=call, package="seqrec", units=rows / 1e3)


@jit.parallel
def count_above_compiled(
    scores: Any, targets: Any, items: Any, starts: Any, stops: Any, users: Any, above: Any
) -> None:
    """Counts the whole row without branches, then takes off what the user has seen."""
    for row in prange(len(users)):
        own = scores[row, targets[row] - 1]
        counted = 0
        for column in range(scores.shape[1]):
            counted += scores[row, column] > own
        for place in range(starts[users[row]], stops[users[row]]):
            counted -= scores[row, items[place] - 1] > own
        above[row] = counted


@jit.parallel
def count_ties_compiled(
    scores: Any,
    targets: Any,
    items: Any,
    starts: Any,
    stops: Any,
    users: Any,
    greater: Any,
    equal: Any,
) -> Any:
    """As `count_above_compiled`, and the scores that equal the target's; whether all are finite."""
    n_finite = 0
    for row in prange(len(users)):
        own = scores[row, targets[row] - 1]
        larger, tied = 0, -1  # the target ties with itself
        for column in range(scores.shape[1]):
            larger += scores[row, column] > own
            tied += scores[row, column] == own
            n_finite += np.isfinite(scores[row, column])
        for place in range(starts[users[row]], stops[users[row]]):
            larger -= scores[row, items[place] - 1] > own
            tied -= scores[row, items[place] - 1] == own
        greater[row] = larger
        equal[row] = tied
    return n_finite == scores.size
