"""The usual way to feed a model: a Dataset that makes one row a call, and a DataLoader.

Rows are made with NumPy and batched by the DataLoader's own collate function, in this process or in
worker processes that stay. A batch sampler gives the users, so that these loaders make the batches
that all others make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from seqrec.bench.contender import Contender
from seqrec.bench.shapes import Problem

PREFETCH = 2  # batches that each worker makes ahead; DataLoader's default
WORKERS = (0, 2)

MakeRow = Callable[[NDArray[np.int32], np.random.Generator], tuple[NDArray[np.generic], ...]]


class PerSample(Dataset):
    """One user's row a call.

    Args:
        histories: of all users.
        make: a row of a history.
    """

    def __init__(self, histories: list[NDArray[np.int32]], make: MakeRow) -> None:
        self.histories = histories
        self.make = make
        self._rng: np.random.Generator | None = None

    def __len__(self) -> int:
        return len(self.histories)

    def __getitem__(self, user: int) -> tuple[torch.Tensor, ...]:
        if self._rng is None:  # made in the process that draws, which torch has seeded
            self._rng = np.random.default_rng(torch.initial_seed())
        return tuple(map(torch.from_numpy, self.make(self.histories[user], self._rng)))


class Cycle(Sampler[list[int]]):
    """The places of the given batches, round and round."""

    def __init__(self, batches: Sequence[NDArray[np.integer]]) -> None:
        self.batches = [batch.tolist() for batch in batches]

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield from self.batches


def loaders(problem: Problem, batches: list[NDArray[np.int32]], make: MakeRow) -> list[Contender]:
    """A contender for each number of workers; a call returns (users, the tensors of a batch...)."""
    part = problem.sequences
    histories = np.split(part.items, part.stops[:-1])
    return [_loader(histories, batches, make, workers) for workers in WORKERS]


def _loader(
    histories: list[NDArray[np.int32]],
    batches: list[NDArray[np.int32]],
    make: MakeRow,
    workers: int,
) -> Contender:
    loader = DataLoader(
        PerSample(histories, make), batch_sampler=Cycle(batches), num_workers=workers
    )
    running: list[Iterator[Any]] = []
    taken = 0

    def call(_seed: int) -> tuple[Any, ...]:
        nonlocal taken
        if not running:
            running.append(iter(loader))
        users = batches[taken % len(batches)]
        taken += 1
        return users, *next(running[0])

    return Contender(
        name="DataLoader" if workers == 0 else f"DataLoader, {workers} workers",
        call=call,
        package="torch",
        note="one row a call",
        processes=workers,
        drain=workers * PREFETCH,
        close=running.clear,
    )
