"""The order of a log: (user, time), stable in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence


def sort_events(users: Sequence[int], times: Sequence[int] | None) -> list[int]:
    """The permutation that sorts."""
    rows = range(len(users))
    if times is None:
        return sorted(rows, key=lambda row: users[row])
    return sorted(rows, key=lambda row: (users[row], times[row]))
