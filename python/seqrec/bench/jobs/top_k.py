"""The ten best items of each user among those that the user has not taken.

Scores float32 [R, N] are given; what comes out are item ids [R, 10], best first.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from seqrec import _core
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, outputs
from seqrec.bench.faults import equal_fault
from seqrec.bench.jit import prange
from seqrec.bench.scores import GATHERED, K, Scored, masking, scored
from seqrec.bench.shapes import Problem
from seqrec.config import check
from seqrec.evaluation.ranking import first_items

BLOCK = 64  # scores that numba looks at together


def top_k(problem: Problem) -> Iterator[Job]:
    """Rows a second, in thousands.

    Raises:
        ConfigError: if somebody has fewer than ten items left: the contenders' lists are full.
    """
    for data in scored(problem):
        left = data.n_items - int(data.inputs.lengths[data.users].max())
        check(left >= K, "job", "top_k", f"one for data in which everybody has {K} items left")
        lineup = Lineup(ours(data))
        lineup.add("numba", jit.why_not(), partial(_numba, data))
        lineup.made += [_torch(data), _numpy(data)]
        lineup.add(twin.NAME, twin.why_not(), partial(_twin, data))
        yield Job(
            name="top_k",
            case=data.case,
            unit="k rows/s",
            contenders=lineup.made,
            absent=lineup.absent,
            fault=partial(_fault, data=data),
            work=data.work,
        )


def _fault(contender: Contender, data: Scored) -> str | None:
    """Lists may differ where scores are equal, so the scores of the lists are compared."""
    ((found,),) = outputs(contender, (0,))
    rows, columns = data.seen()
    scores = data.block(0).copy()
    scores[rows, columns] = -np.inf
    if found.min() < 1 or found.max() > data.n_items:
        return f"an item is outside 1..{data.n_items}"
    if any(len(set(row)) < len(row) for row in found.tolist()):
        return "a list has an item twice"
    own = np.take_along_axis(scores[: len(found)], found.astype(np.int64) - 1, axis=1)
    best = -np.sort(-np.partition(scores[: len(found)], -K, axis=1)[:, -K:], axis=1)
    return equal_fault("scores of the list", own, best)


def ours(data: Scored) -> Contender:
    """As `recommend` and `evaluate_next_item` with lists do it."""

    def call(seed: int) -> tuple[Any]:
        return (first_items(data.block(seed), K, data.inputs, data.users, filter_seen=True),)

    return Contender(name="seqrec", call=call, package="seqrec", units=data.thousands)


def _numba(data: Scored) -> Contender:
    items, part = np.empty((len(data.users), K), dtype=np.int64), data.inputs
    best = np.empty((len(data.users), K), dtype=np.float32)
    sets = _core.sorted_sets(part.items, part.starts, part.stops)

    def call(seed: int) -> tuple[Any]:
        list_best(data.block(seed), *sets, data.users, items, best)
        return (items,)

    return Contender(
        name="numba", call=call, package="numba", units=data.thousands,
        note="histories sorted beforehand",
    )  # fmt: skip


def _torch(data: Scored) -> Contender:
    blocks, mask = [torch.from_numpy(block) for block in data.copies()], masking(data)

    def call(seed: int) -> tuple[Any]:
        scores = blocks[seed % len(blocks)]
        mask(scores)
        return (torch.topk(scores, K, dim=1).indices + 1,)

    return Contender(
        name="torch, mask + topk", call=call, package="torch", units=data.thousands,
        note=f"masks in place, {GATHERED}",
    )  # fmt: skip


def _numpy(data: Scored) -> Contender:
    blocks, seen = data.copies(), data.seen()

    def call(seed: int) -> tuple[Any]:
        scores = blocks[seed % len(blocks)]
        scores[seen] = -np.inf
        some = np.argpartition(scores, -K, axis=1)[:, -K:]
        order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1)
        return (np.take_along_axis(some, order, axis=1) + 1,)

    return Contender(
        name="NumPy, argpartition", call=call, units=data.thousands,
        note=f"masks in place, {GATHERED}",
    )  # fmt: skip


def _twin(data: Scored) -> Contender:
    best = twin.part("topk").top_k
    rows = data.twin_rows
    seen = [set(data.inputs.user(user).tolist()) for user in data.users[:rows]]

    def call(seed: int) -> tuple[Any]:
        scores = data.block(seed)
        return (np.array([best(scores[row], K, seen[row])[0] for row in range(rows)]),)

    return Contender(name=twin.NAME, call=call, package="seqrec", units=rows / 1e3)


@jit.parallel
def list_best(scores: Any, offsets: Any, members: Any, users: Any, found: Any, best: Any) -> None:
    """A sorted list; a block of scores none of which passes its last one is passed over at once."""
    k, n_items = found.shape[1], scores.shape[1]
    for row in prange(len(users)):
        taken = members[offsets[users[row]] : offsets[users[row] + 1]]
        best[row, :] = -np.inf
        found[row, :] = 0
        last = best[row, k - 1]
        for begin in range(0, n_items, BLOCK):
            block = scores[row, begin : begin + BLOCK]
            passing = 0
            for score in block:
                passing += score > last
            if passing == 0:
                continue
            for place_in_block, score in enumerate(block):
                column = begin + place_in_block
                if score <= last:
                    continue
                at = np.searchsorted(taken, column + 1)
                if at < len(taken) and taken[at] == column + 1:
                    continue
                place = k - 1
                while place > 0 and best[row, place - 1] < score:
                    best[row, place] = best[row, place - 1]
                    found[row, place] = found[row, place - 1]
                    place -= 1
                best[row, place] = score
                found[row, place] = column + 1
                last = best[row, k - 1]
