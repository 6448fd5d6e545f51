"""What the tests of the batch kernels share: small stores of sequences, and rows to draw from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from reference import window
from seqrec.batches.windows import Policy

N_ITEMS = 12
POLICIES = get_args(Policy)


@dataclass(frozen=True, slots=True)
class Store:
    """Histories of a part of a split, each followed in the store by items that are held out."""

    histories: list[list[int]]
    held_out: list[list[int]]

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """(items, starts, stops)."""
        stored = self.stored
        ends = np.cumsum([len(items) for items in stored], dtype=np.int64)
        starts = ends - np.array([len(items) for items in stored], dtype=np.int64)
        stops = starts + np.array([len(items) for items in self.histories], dtype=np.int64)
        return np.array([i for items in stored for i in items], dtype=np.int32), starts, stops

    @property
    def stored(self) -> list[list[int]]:
        """All items of each user, held-out ones at the end."""
        return [h + rest for h, rest in zip(self.histories, self.held_out, strict=True)]

    @property
    def marks(self) -> list[list[int]]:
        """For each stored item of each user: 1 if the user has not taken it before."""
        return [[int(v not in items[:i]) for i, v in enumerate(items)] for items in self.stored]

    @property
    def first(self) -> NDArray[np.uint8]:
        """The marks of all users, end to end."""
        return np.array([mark for marks in self.marks for mark in marks], dtype=np.uint8)

    @property
    def sets(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(set_offsets, set_members) of the histories."""
        return as_sets([set(history) for history in self.histories])


def as_sets(taken: list[set[int]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(set_offsets, set_members)."""
    offsets = np.cumsum([0, *(len(items) for items in taken)], dtype=np.int64)
    return offsets, np.array([i for items in taken for i in sorted(items)], dtype=np.int32)


def store(*histories: list[int]) -> Store:
    """A store without held-out items."""
    return Store([list(history) for history in histories], [[] for _ in histories])


def ints(*values: int) -> NDArray[np.int32]:
    """int32, as users, ks and positions are."""
    return np.array(values, dtype=np.int32)


words = st.integers(0, 2**64 - 1)
items = st.integers(1, N_ITEMS)


@st.composite
def stores(draw: st.DrawFn, min_length: int = 0, n_items: int = N_ITEMS) -> Store:
    """Up to 6 users with up to 30 items each."""
    item = st.integers(1, n_items)
    history = st.lists(item, min_size=min_length, max_size=30)
    users = draw(st.lists(st.tuples(history, st.lists(item, max_size=2)), min_size=1, max_size=6))
    return Store([history for history, _ in users], [rest for _, rest in users])


@st.composite
def policies(draw: st.DrawFn) -> tuple[str, int, int]:
    """(policy, width, stride)."""
    width = draw(st.integers(1, 8))
    policy = draw(st.sampled_from(POLICIES))
    return policy, width, draw(st.integers(1, width))


@st.composite
def batches(draw: st.DrawFn, some: Store, windows: tuple[str, int, int]) -> list[tuple[int, int]]:
    """Rows (user, k) that exist, in any order and with repeats."""
    rows = [
        (user, k)
        for user, history in enumerate(some.histories)
        for k in range(window.count(windows[0], len(history), *windows[1:], 0))
    ]
    return draw(st.lists(st.sampled_from(rows), min_size=1, max_size=10))
