"""Which repeated events of a sorted log stay: exact duplicates go first, then the policy rules."""

from __future__ import annotations

from collections.abc import Sequence


def mark_repeats(
    users: Sequence[int], items: Sequence[int], times: Sequence[int] | None, policy: str
) -> tuple[list[bool], int, int]:
    """(keep, exact duplicates, other repeats dropped)."""
    keep, duplicates, repeats = [], 0, 0
    exact: set[tuple[int, int, int]] = set()
    kept: list[tuple[int, int]] = []
    for row, event in enumerate(zip(users, items, strict=True)):
        if times is not None and (*event, times[row]) in exact:
            keep.append(False)
            duplicates += 1
            continue
        if times is not None:
            exact.add((*event, times[row]))
        dropped = (policy == "first" and event in kept) or (
            policy == "drop-consecutive" and kept[-1:] == [event]
        )
        repeats += dropped
        keep.append(not dropped)
        if not dropped:
            kept.append(event)
    return keep, duplicates, repeats
