"""A next-item batch: the last L + 1 items of each user as inputs and the items after them.

inputs and targets int64 [B, L], real items first; PAD and -100 behind them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec.batches import Buffers, NextItemRows, Share, WindowConfig
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, Work, outputs
from seqrec.bench.faults import equal_fault, shape_fault
from seqrec.bench.filled import filled
from seqrec.bench.jit import prange
from seqrec.bench.samples import loaders
from seqrec.bench.shapes import Problem
from seqrec.tokens import IGNORE, PAD

TWIN_ROWS = 16

Users = list[NDArray[np.int32]]
Batch = tuple[NDArray[np.int32], Any, Any]  # users, inputs, targets: arrays or tensors


def next_item(problem: Problem) -> Iterator[Job]:
    """Batches a second."""
    users = problem.batches()
    lineup = Lineup(ours(problem, users))
    lineup.add("numba", jit.why_not(), lambda: _numba(problem, users))
    lineup.add("NumPy, whole batch", problem.too_large_to_pad(), lambda: _numpy(problem, users))
    lineup.add("torch, whole batch", problem.too_large_to_pad(), lambda: _torch(problem, users))
    lineup.made += loaders(problem, users, _PerSample(problem.max_seq_len))
    lineup.add(twin.NAME, twin.why_not(), lambda: _twin(problem, users))
    size = problem.sizes.batch_size * problem.max_seq_len
    yield Job(
        name="next_item",
        unit="batches/s",
        contenders=lineup.made,
        absent=lineup.absent,
        fault=partial(_fault, problem=problem),
        work=Work(reads=4 * size, writes=16 * size, resident=16 * size),
    )


def expected(problem: Problem, users: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The inputs and targets of some users, PAD where there is none."""
    window = problem.last_items(users, problem.max_seq_len + 1, left=False)
    inputs, targets = window[:, :-1].copy(), window[:, 1:]
    inputs[targets == PAD] = PAD
    return inputs, targets


def _fault(contender: Contender, problem: Problem) -> str | None:
    for users, inputs, targets in outputs(contender, (1, 2)):
        wanted, items = expected(problem, users)
        fault = (
            shape_fault("inputs", inputs, wanted.shape)
            or equal_fault("inputs", inputs, wanted)
            or shape_fault("targets", targets, wanted.shape)
            or equal_fault("targets", targets, np.where(items == PAD, IGNORE, items))
        )
        if fault:
            return fault
    return None


def ours(problem: Problem, users: Users) -> Contender:
    """The rows of a `BatchStream`, filled in turn."""
    windows = WindowConfig(windows="last", max_seq_len=problem.max_seq_len)
    rows = NextItemRows(problem.sequences, windows)

    def fill(share: Share, buffers: Buffers) -> tuple[Any, Any]:
        batch = rows.fill(share, buffers)
        return batch.inputs, batch.targets

    return filled(fill, users, width=problem.max_seq_len)


def _numba(problem: Problem, users: Users) -> Contender:
    part, shape = problem.sequences, (len(users[0]), problem.max_seq_len)
    inputs, targets = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        fill_next_item(part.items, part.starts, part.stops, chosen, inputs, targets)
        return chosen, inputs, targets

    return Contender(name="numba", call=call, package="numba")


def _numpy(problem: Problem, users: Users) -> Contender:
    """All that can be made beforehand is: the batch is two gathers."""
    all_inputs, items = expected(problem, np.arange(problem.sequences.n_users, dtype=np.int32))
    all_targets = np.where(items == PAD, IGNORE, items)
    inputs = np.empty((len(users[0]), problem.max_seq_len), dtype=np.int64)
    targets = np.empty_like(inputs)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        all_inputs.take(chosen, axis=0, out=inputs, mode="clip")
        all_targets.take(chosen, axis=0, out=targets, mode="clip")
        return chosen, inputs, targets

    return Contender(name="NumPy, whole batch", call=call, note="rows made beforehand")


def _torch(problem: Problem, users: Users) -> Contender:
    all_inputs, items = expected(problem, np.arange(problem.sequences.n_users, dtype=np.int32))
    made = torch.from_numpy(all_inputs), torch.from_numpy(np.where(items == PAD, IGNORE, items))
    shape = (len(users[0]), problem.max_seq_len)
    inputs, targets = torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.int64)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        rows = torch.from_numpy(chosen)
        torch.index_select(made[0], 0, rows, out=inputs)
        torch.index_select(made[1], 0, rows, out=targets)
        return chosen, inputs, targets

    return Contender(
        name="torch, whole batch", call=call, package="torch", note="rows made beforehand"
    )


class _PerSample:
    """One row with NumPy: what most code does."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(
        self, history: NDArray[np.int32], _rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        window = history[-self.width - 1 :]
        inputs = np.full(self.width, PAD, dtype=np.int64)
        targets = np.full(self.width, IGNORE, dtype=np.int64)
        inputs[: len(window) - 1] = window[:-1]
        targets[: len(window) - 1] = window[1:]
        return inputs, targets


def _twin(problem: Problem, users: Users) -> Contender:
    row, width = twin.part("next_item").row, problem.max_seq_len

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)][:TWIN_ROWS]
        windows = [problem.sequences.user(u)[-width - 1 :].tolist() for u in chosen.tolist()]
        inputs, targets = zip(*(row(window, width) for window in windows), strict=True)
        return chosen, np.array(inputs), np.array(targets)

    share = min(TWIN_ROWS, len(users[0])) / len(users[0])
    return Contender(name=twin.NAME, call=call, package="seqrec", units=share)


@jit.parallel
def fill_next_item(
    items: Any, starts: Any, stops: Any, users: Any, inputs: Any, targets: Any
) -> None:
    """A pass over each row."""
    width = inputs.shape[1]
    for row in prange(len(users)):
        user = users[row]
        n = min(width + 1, stops[user] - starts[user])
        first = stops[user] - n
        for place in range(n - 1):
            inputs[row, place] = items[first + place]
            targets[row, place] = items[first + place + 1]
        inputs[row, max(n - 1, 0) :] = 0
        targets[row, max(n - 1, 0) :] = -100
