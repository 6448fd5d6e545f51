"""How close two items stand in the histories: the sum of 1 / distance, up to a window."""

from __future__ import annotations

from collections.abc import Sequence


def weigh_pairs(histories: Sequence[Sequence[int]], window: int) -> dict[tuple[int, int], float]:
    """(smaller, larger) -> the sum of 1 / distance, in ascending order of the pairs."""
    weights: dict[tuple[int, int], float] = {}
    for history in histories:
        for place, item in enumerate(history):
            for distance, other in enumerate(history[place + 1 : place + 1 + window], start=1):
                pair = (min(item, other), max(item, other))
                weights[pair] = weights.get(pair, 0.0) + 1 / distance
    return dict(sorted(weights.items()))
