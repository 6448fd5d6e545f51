"""Which items a user has taken: first occurrences, and ascending sets."""

from __future__ import annotations

from collections.abc import Sequence


def first_occurrences(histories: Sequence[Sequence[int]]) -> list[int]:
    """1 where the user has not taken the item before, histories end to end."""
    return [
        int(item not in history[:place])
        for history in histories
        for place, item in enumerate(history)
    ]


def sorted_sets(histories: Sequence[Sequence[int]]) -> list[list[int]]:
    """The ascending distinct items of each user."""
    return [sorted(set(history)) for history in histories]


def count_items(histories: Sequence[Sequence[int]], n_items: int) -> list[int]:
    """How often each item 1..=n_items occurs."""
    events = [item for history in histories for item in history]
    return [events.count(item) for item in range(1, n_items + 1)]
