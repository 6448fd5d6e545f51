"""How often two items stand at distance 1..window in one history."""

from __future__ import annotations

from collections.abc import Sequence


def count_pairs(
    histories: Sequence[Sequence[int]], window: int, *, ordered: bool
) -> dict[tuple[int, int], list[int]]:
    """(row, column) -> counts at distance 1..window, in ascending order of the pairs."""
    counts: dict[tuple[int, int], list[int]] = {}
    for history in histories:
        for place, item in enumerate(history):
            for distance, other in enumerate(history[place + 1 : place + 1 + window]):
                pair = (item, other) if ordered else (min(item, other), max(item, other))
                counts.setdefault(pair, [0] * window)[distance] += 1
    return dict(sorted(counts.items()))
