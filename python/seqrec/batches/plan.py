"""The rows of an epoch in the order of training, and the share of a step that one rank fills.

A row is (user, k): the k-th window or target of that user in the epoch. Everything about the order
is decided here for the *global* batch, so ranks only choose rows and never draw any.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SMALLEST_WIDTH = 8


def padded_width(length: int, max_width: int) -> int:
    """The width of a batch whose longest row has `length` tokens.

    One of 8, 16, 24, 32, 48, 64, 96, 128, 192... (at most a third is added above 16), capped at
    `max_width`: a handful of shapes, because memory allocators and compilers keep something for
    each new one.

    Example:
        >>> [padded_width(n, 100) for n in (1, 8, 9, 33, 65, 97)]
        [8, 8, 16, 48, 96, 100]
    """
    step = max(SMALLEST_WIDTH, 1 << max(0, (length - 1).bit_length() - 2))
    return min(max_width, max(1, -(-length // step)) * step)


@dataclass(slots=True)
class Share:
    """The rows of one step that fall to one rank; possibly none, when a last batch is tiny.

    Attributes:
        users: int32 [B].
        ks: int32 [B], which window or target of its user in this epoch.
        positions: int32 [B], how many items stand before each target; None for windows.
        width: tokens of a row, the same on all ranks.
        seed: of the run; with the epoch, the user and k it decides all content.
        epoch: counted from 0.
    """

    users: NDArray[np.int32]
    ks: NDArray[np.int32]
    positions: NDArray[np.int32] | None
    width: int
    seed: int
    epoch: int

    @property
    def n_rows(self) -> int:
        """How many rows this rank fills."""
        return len(self.users)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All rows of an epoch, in the order of training, cut into global batches.

    Attributes:
        users: int32 [R].
        ks: int32 [R].
        tokens: int32 [R], the unpadded width of each row.
        positions: int32 [R] for rows that are targets, else None.
        batch_size: rows of a global batch; the last one may have fewer.
        max_width: no batch is wider.
        seed: of the run.
        epoch: counted from 0.
        widths: tokens of a row of each global batch.
    """

    users: NDArray[np.int32]
    ks: NDArray[np.int32]
    tokens: NDArray[np.int32]
    positions: NDArray[np.int32] | None = None
    batch_size: int
    max_width: int
    seed: int
    epoch: int
    widths: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = np.arange(0, self.n_rows, self.batch_size)
        longest = np.maximum.reduceat(self.tokens, starts).tolist() if len(starts) else []
        # All at once: step by step they would take a tenth of the time that a batch takes.
        object.__setattr__(self, "widths", [padded_width(n, self.max_width) for n in longest])

    @property
    def n_rows(self) -> int:
        """Rows of the epoch, over all ranks."""
        return len(self.users)

    @property
    def n_steps(self) -> int:
        """Global batches of the epoch; the same on every rank."""
        return -(-self.n_rows // self.batch_size)

    def share(self, step: int, rank: int = 0, world_size: int = 1) -> Share:
        """Rows rank, rank + world_size, ... of the step's global batch."""
        start, stop = step * self.batch_size, min((step + 1) * self.batch_size, self.n_rows)
        mine = slice(start + rank, stop, world_size)
        return Share(
            users=np.ascontiguousarray(self.users[mine]),
            ks=np.ascontiguousarray(self.ks[mine]),
            positions=None if self.positions is None else self.positions[mine].copy(),
            width=self.widths[step],
            seed=self.seed,
            epoch=self.epoch,
        )
