"""Sequences of items, user by user: one flat array and two bounds for each user.

A part of a split is another pair of bounds over the same items: nothing is ever copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.data.arrays import check_array
from seqrec.errors import DataError

LAST_ITEM = 2**31 - 2  # the largest id that leaves int32 one for MASK


@dataclass(frozen=True, slots=True)
class Sequences:
    """What each user took, oldest first: user u owns items[starts[u]:stops[u]].

    Attributes:
        items: int32 [E], ids 1..=N, events of all users one after another.
        starts: int64 [U], where each user begins.
        stops: int64 [U], where each user ends (exclusive).
    """

    items: NDArray[np.int32]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_array("sequences", "items", self.items, np.int32)
        check_array("sequences", "starts", self.starts, np.int64)
        check_array("sequences", "stops", self.stops, np.int64)
        if len(self.starts) != len(self.stops):
            raise DataError(
                f"sequences: {len(self.starts)} starts but {len(self.stops)} stops; one each a user"
            )
        wrong = (self.starts < 0) | (self.stops < self.starts) | (self.stops > len(self.items))
        if wrong.any():
            user = int(wrong.argmax())
            raise DataError(
                f"sequences: user {user} owns {self.starts[user]}:{self.stops[user]}, "
                f"which does not lie in 0:{len(self.items)}"
            )

    @property
    def n_users(self) -> int:
        """How many users there are, those with no item included."""
        return len(self.starts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many items each user has: int64 [U]."""
        return self.stops - self.starts

    @property
    def n_events(self) -> int:
        """How many events lie inside the bounds of all users together."""
        return int(self.lengths.sum())

    def check_items(self, n_items: int | None = None) -> None:
        """Raises DataError if an id lies outside the catalogue 1..=n_items, whose end is optional.

        0 would be read as PAD, and n_items + 1 as MASK.
        """
        last = LAST_ITEM if n_items is None else n_items
        ends = (self.items.min(), self.items.max()) if len(self.items) else ()
        for item in map(int, ends):
            if not 1 <= item <= last:
                raise DataError(f"sequences: item id {item} is outside 1..={last}")

    def user(self, user: int) -> NDArray[np.int32]:
        """The items of one user, oldest first, as a view: int32 [lengths[user]]."""
        return self.items[self.starts[user] : self.stops[user]]

    def events(self) -> NDArray[np.int32]:
        """The items of all users, user by user: int32 [n_events], copied out of the bounds."""
        return self.items[self.places()[1]]

    def places(
        self, users: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, places): event e is of users[rows[e]] and stored at items[places[e]].

        User by user, oldest first; `users` None stands for all of them.
        """
        starts = self.starts if users is None else self.starts[users]
        lengths = self.lengths if users is None else self.lengths[users]
        rows = np.repeat(np.arange(len(starts)), lengths)
        before = np.cumsum(lengths) - lengths
        return rows, np.arange(len(rows)) + np.repeat(starts - before, lengths)

    @classmethod
    def from_lists(cls, sequences: list[list[int]]) -> Sequences:
        """Sequences of item ids 1..=N written as Python lists, one a user.

        Example:
            >>> Sequences.from_lists([[3, 1], [], [2]]).user(0)
            array([3, 1], dtype=int32)

        Raises:
            DataError: for what is no integer, or outside 1..=2147483646; names the user.
        """
        offsets = np.zeros(len(sequences) + 1, dtype=np.int64)
        np.cumsum([len(sequence) for sequence in sequences], out=offsets[1:])
        flat = [_item_id(item, user) for user, items in enumerate(sequences) for item in items]
        return cls(np.array(flat, dtype=np.int32), offsets[:-1], offsets[1:])


def _item_id(item: Any, user: int) -> int:
    if isinstance(item, bool) or not hasattr(item, "__index__"):
        raise DataError(f"sequences: user {user} has item id {item!r}; ids are integers")
    if not 1 <= item <= LAST_ITEM:
        raise DataError(f"sequences: user {user} has item id {item}; ids are 1..={LAST_ITEM}")
    return int(item)
