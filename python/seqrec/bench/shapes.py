"""What the jobs run on: a prepared data folder, or a log with a public data set's shape.

Simulated lengths are log-normal and popularity falls as (rank + 5)^-0.9 (Zipf-Mandelbrot); nobody
takes an item twice; times are whole days, so that many events of a user share one. For benchmarks
only: what can be learned from such a log is popularity (`seqrec data simulate` has more).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqrec.config import check, unknown_value
from seqrec.data import Dataset, Sequences
from seqrec.tokens import PAD

DEFAULT_LENGTH = 200
LARGEST_TABLE = 2.0  # GiB
POOL = 64  # batches of users drawn beforehand, so that choosing them is not timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a simulated log.

    Attributes:
        users: how many.
        items: size of the catalogue.
        events: how many actions in all, about.
        sigma: of the logarithm of the lengths.
        max_seq_len: L, tokens of a row.
    """

    users: int
    items: int
    events: int
    sigma: float
    max_seq_len: int


SHAPES = {
    "tiny": Shape(users=300, items=120, events=6_000, sigma=0.8, max_seq_len=24),
    "ml1m": Shape(users=6_040, items=3_416, events=1_000_000, sigma=1.0, max_seq_len=200),
    "films": Shape(users=63_727, items=25_654, events=940_000, sigma=0.8, max_seq_len=50),
    "million": Shape(users=100_000, items=1_000_000, events=2_000_000, sigma=0.8, max_seq_len=50),
    "big": Shape(users=1_000_000, items=1_000_000, events=50_000_000, sigma=0.8, max_seq_len=50),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is chosen beside the data.

    Attributes:
        max_seq_len: L, tokens of a row; None: what the shape says, 200 for a data folder.
        batch_size: B, rows of a batch.
        threads: how many a contender may use.
        device: where the training steps of "data_wait" run.
        seed: of everything that is drawn.
    """

    max_seq_len: int | None = None
    batch_size: int = 256
    threads: int = 1
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        check(self.batch_size >= 2, "batch_size", self.batch_size, "at least 2")
        check(1 <= self.threads <= 1024, "threads", self.threads, "from 1 to 1024")
        check(0 <= self.seed < 2**63, "seed", self.seed, "from 0 to 2**63 - 1")
        length = self.max_seq_len
        check(length is None or length >= 2, "max_seq_len", length, "at least 2")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """The data and the sizes that all contenders are given.

    Attributes:
        shape: its name in tables.
        sequences: the items of all users.
        times: int64 [E], never falling for a user, with ties.
        n_items: N, size of the catalogue.
        max_seq_len: L, tokens of a row.
        sizes: batch size, threads, device and seed.
    """

    shape: str
    sequences: Sequences
    times: NDArray[np.int64]
    n_items: int
    max_seq_len: int
    sizes: Sizes

    def batches(self) -> list[NDArray[np.int32]]:
        """The users of POOL batches, different ones with three actions at least: int32 [B] each."""
        rng = np.random.default_rng([self.sizes.seed, 1])
        users = np.flatnonzero(self.sequences.lengths >= 3).astype(np.int32)
        size = self.sizes.batch_size
        rule = f"at most {len(users)}, the users of {self.shape} with three actions"
        check(size <= len(users), "batch_size", size, rule)
        return [rng.choice(users, size, replace=False) for _ in range(POOL)]

    def too_large_to_pad(self) -> str | None:
        """Why the histories of all users cannot be kept padded; None if they can."""
        gib = self.sequences.n_users * (self.max_seq_len + 1) * 8 / 2**30
        return f"padded histories would take {gib:.0f} GiB" if gib > LARGEST_TABLE else None

    def last_items(self, users: NDArray[np.int32], width: int, *, left: bool) -> NDArray[np.int64]:
        """The last `width` items of some users, PAD on one side: [len(users), width]."""
        starts, lengths = self.sequences.starts[users], self.sequences.lengths[users]
        rows = lengths[:, None] - width + np.arange(width)
        if not left:
            rows -= np.minimum(0, rows[:, :1])
        real = (rows >= 0) & (rows < lengths[:, None])
        places = np.where(real, starts[:, None] + rows, 0)
        return np.where(real, self.sequences.items[places], PAD).astype(np.int64)

    def padded(self, width: int, *, left: bool) -> NDArray[np.int64]:
        """`last_items` of all users, made beforehand as who vectorises does: [U, width]."""
        return self.last_items(np.arange(self.sequences.n_users, dtype=np.int32), width, left=left)


def simulated(name: str, sizes: Sizes) -> Problem:
    """The problem of a named shape.

    Raises:
        ConfigError: for an unknown name, with the nearest one.
    """
    if name not in SHAPES:
        raise unknown_value("shape", name, SHAPES)
    return simulated_as(name, SHAPES[name], sizes)


def simulated_as(name: str, shape: Shape, sizes: Sizes) -> Problem:
    """The problem of a shape of one's own."""
    sequences, times = simulate(shape, sizes.seed)
    return Problem(
        shape=name,
        sequences=sequences,
        times=times,
        n_items=shape.items,
        max_seq_len=sizes.max_seq_len or shape.max_seq_len,
        sizes=sizes,
    )


def prepared(name: str, dataset: Dataset, sizes: Sizes) -> Problem:
    """The problem of a prepared data set; where it has no times, row order stands for them."""
    times = np.arange(dataset.n_events) if dataset.times is None else dataset.times
    # Copied out of the mapped files: what lies in memory is what training reads.
    offsets = np.array(dataset.offsets)
    return Problem(
        shape=name,
        sequences=Sequences(np.array(dataset.items), offsets[:-1], offsets[1:]),
        times=np.array(times),
        n_items=dataset.n_items,
        max_seq_len=sizes.max_seq_len or DEFAULT_LENGTH,
        sizes=sizes,
    )


def simulate(shape: Shape, seed: int) -> tuple[Sequences, NDArray[np.int64]]:
    """(sequences, times) of a shape; the same seed gives the same log."""
    rng = np.random.default_rng([seed, 0])
    weights = rng.lognormal(sigma=shape.sigma, size=shape.users)
    lengths = np.rint(weights / weights.sum() * shape.events).astype(np.int64)
    lengths = np.clip(lengths, 3, max(3, shape.items // 2))
    stops = np.cumsum(lengths)
    items = _without_repeats(lengths, shape.items, rng)
    # Days since a user's first action, on some day of a year: a third of the gaps are 0.
    days = np.cumsum(rng.integers(0, 3, size=len(items)))
    first = np.repeat(rng.integers(0, 365, size=shape.users) - days[stops - lengths], lengths)
    return Sequences(items, stops - lengths, stops), days + first


def _without_repeats(
    lengths: NDArray[np.int64], n_items: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Items by popularity; what a user has already is drawn again until nothing is left."""
    shares = np.cumsum((np.arange(n_items) + 6.0) ** -0.9)
    names = rng.permutation(n_items) + 1  # ids do not tell who is popular

    def draw(n: int) -> NDArray[np.int32]:
        return names[np.searchsorted(shares, rng.random(n) * shares[-1])].astype(np.int32)

    users = np.repeat(np.arange(len(lengths)), lengths)
    items = draw(len(users))
    places = np.arange(len(users))
    while True:
        _, first = np.unique(users[places] * (n_items + 1) + items[places], return_index=True)
        again = np.delete(places, first)
        if not len(again):
            return items
        items[again] = draw(len(again))
        unsettled = np.zeros(len(lengths), dtype=np.bool_)
        unsettled[users[again]] = True
        places = np.flatnonzero(unsettled[users])
