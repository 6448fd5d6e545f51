"""Negative items: the twin of rust/core/src/negatives.rs."""

from __future__ import annotations

from reference.alias import alias_table, sum_in_order
from reference.seed import Stream

TRIES = 64  # draws of any item, before one of the free items alone


def uniform(n_items: int, taken: set[int], stream: Stream) -> int:
    """The first free item of 64 draws, else a free one by its place among the free ones."""
    for _ in range(TRIES):
        item = 1 + stream.below(n_items)
        if item not in taken:
            return item
    free = [item for item in range(1, n_items + 1) if item not in taken]
    return free[stream.below(len(free))]


def by_weight(weights: list[float], taken: set[int], stream: Stream) -> int:
    """The first free item of 64 alias draws, else one by the running weights of the free ones."""
    thresholds, aliases = alias_table(weights)
    for _ in range(TRIES):
        i, place = stream.below_with_rest(len(weights))
        item = i + 1 if place >> 32 < thresholds[i] else aliases[i]
        if item not in taken:
            return item
    free = [(i, w) for i, w in enumerate(weights, start=1) if w > 0 and i not in taken]
    drawn = stream.unit() * sum_in_order([weight for _, weight in free])
    total = 0.0
    for item, weight in free:
        total += weight
        if drawn < total:
            return item
    return free[-1][0]
