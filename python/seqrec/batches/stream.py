"""The stream of batches: what a training loop iterates.

Which rows a step has, and what is in them, is a function of (seed, epoch, step) and the global
batch size. So a run is resumed by asking for the step, rank r of n takes every n-th row of each
global batch, and neither threads nor prefetching nor the device change a byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

import torch

from seqrec.batches.batch import Batch
from seqrec.batches.buffers import Buffers
from seqrec.batches.plan import Plan, Share
from seqrec.batches.prefetch import RING, Prefetch
from seqrec.config import check
from seqrec.errors import DataError

B = TypeVar("B", bound=Batch)
B_co = TypeVar("B_co", bound=Batch, covariant=True)

CPU = torch.device("cpu")


class Rows(Protocol[B_co]):
    """What a stream is made of; the four kinds of this package, or one of your own."""

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """The rows of an epoch in the order of training; as many in every epoch."""
        ...

    def fill(self, share: Share, buffers: Buffers) -> B_co:
        """The share's rows, written into `buffers`; by the prefetch thread, if there is one."""
        ...


class BatchStream(Generic[B]):
    """Batches of an epoch, one after the other.

    On the CPU a batch is a view of buffers that are filled again: it is valid until the next one is
    asked for; `clone` what is to be kept longer. On CUDA the buffers are page-locked, copies are
    queued on the current stream without waiting, and a batch is the consumer's own.

    Where the last global batch has fewer rows than there are ranks, some ranks get a batch of no
    rows (tensors [0, W], `n_targets` 0): every rank takes the same number of steps.

    Args:
        rows: what a row is.
        batch_size: rows of a *global* batch, over all ranks (pairs for relevance pairs).
        seed: of the run.
        rank: this process among `world_size`.
        world_size: how many processes share each batch.
        device: where the batches go.
        prefetch: fill ahead in a thread instead of the consumer's own; None: where the batches go
            to another device. On the CPU a batch takes less time than to hand it over, and a step
            that computes on all cores has none to spare (docs/performance.md). The batches are the
            same.

    Attributes:
        wait_seconds: how long the consumer has waited for batches so far, planning included.
    """

    def __init__(
        self,
        rows: Rows[B],
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = CPU,
        prefetch: bool | None = None,
    ) -> None:
        check(world_size >= 1, "world_size", world_size, "at least 1")
        check(0 <= rank < world_size, "rank", rank, f"from 0 to world_size - 1 = {world_size - 1}")
        check(
            world_size <= batch_size < 2**31, "batch_size", batch_size,
            f"at least world_size = {world_size}, as it counts the rows of all ranks together, and "
            "below 2^31",
        )  # fmt: skip
        check(0 <= seed < 2**64, "seed", seed, "from 0 to 2**64 - 1")
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = torch.device(device)
        self.prefetch = self.device.type != "cpu" if prefetch is None else prefetch
        self.wait_seconds = 0.0
        self._planned: Plan | None = None
        self._idle: list[Buffers] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_idle": []}  # memory is not for another process

    def steps_per_epoch(self, epoch: int = 0) -> int:
        """Steps of an epoch; the same on every rank and in every epoch, so one is planned."""
        return (self._planned or self._plan(epoch)).n_steps

    def epoch(self, epoch: int, first_step: int = 0) -> Generator[B, None, None]:
        """The batches of an epoch, from `first_step` on; earlier ones are not made.

        Leaving the loop early stops the thread.

        Raises:
            ConfigError: if the epoch is negative or has no such step.
            DataError: if no user has enough items for a row, or the rows change in number.
        """
        plan = self._plan(epoch)
        allowed = 0 <= first_step <= plan.n_steps
        check(allowed, "first_step", first_step, f"from 0 to {plan.n_steps}, the epoch's steps")
        steps = range(first_step, plan.n_steps)
        return self._ahead(plan, steps) if self.prefetch else self._in_turn(plan, steps)

    def _plan(self, epoch: int) -> Plan:
        if self._planned is None or self._planned.epoch != epoch:
            check(0 <= epoch < 2**32, "epoch", epoch, "from 0 to 2**32 - 1")
            asked = time.perf_counter()
            plan = self.rows.plan(self.seed, epoch, self.batch_size)
            self.wait_seconds += time.perf_counter() - asked
            if plan.n_rows == 0:
                raise DataError("no user has enough items for a row: there is nothing to train on")
            if self._planned is not None and plan.n_rows != self._planned.n_rows:
                raise DataError(
                    f"epoch {epoch} has {plan.n_rows} rows and epoch {self._planned.epoch} had "
                    f"{self._planned.n_rows}: a plan must have as many rows in every epoch"
                )
            self._planned = plan
        return self._planned

    def _ahead(self, plan: Plan, steps: range) -> Generator[B, None, None]:
        lent = [self._take_buffers() for _ in range(RING)]
        ring = Prefetch(self._filler(plan), steps, lent)
        try:
            while True:
                waited = ring.wait_seconds
                filled = ring.get()
                self.wait_seconds += ring.wait_seconds - waited
                if filled is None:
                    return
                batch, buffers = filled
                yield self._deliver(batch, buffers)
                ring.release(buffers)
        finally:
            if ring.close():
                self._idle.extend(lent)

    def _in_turn(self, plan: Plan, steps: range) -> Generator[B, None, None]:
        fill, buffers = self._filler(plan), self._take_buffers()
        try:
            for step in steps:
                asked = time.perf_counter()
                buffers.wait()
                batch = fill(step, buffers)
                self.wait_seconds += time.perf_counter() - asked
                yield self._deliver(batch, buffers)
        finally:
            self._idle.append(buffers)

    def _take_buffers(self) -> Buffers:
        """An earlier epoch's, which have grown already: page-locked memory is slow to come by."""
        return self._idle.pop() if self._idle else Buffers(pinned=self._pinned)

    def _filler(self, plan: Plan) -> Callable[[int, Buffers], B]:
        rows, rank, world_size = self.rows, self.rank, self.world_size
        return lambda step, buffers: rows.fill(plan.share(step, rank, world_size), buffers)

    def _deliver(self, batch: B, buffers: Buffers) -> B:
        if self.device.type == "cpu":
            return batch
        moved = batch.to(self.device, non_blocking=self._pinned)
        if self._pinned:
            buffers.copying(self.device)
        return moved

    @property
    def _pinned(self) -> bool:
        return self.device.type == "cuda"
