"""Negative items: the twin of rust/core/src/negatives.rs."""

from __future__ import annotations

from reference.seed import Stream


def uniform(n_items: int, taken: set[int], stream: Stream) -> int:
    """A free item by its place among the free ones."""
    free = [item for item in range(1, n_items + 1) if item not in taken]
    return free[stream.below(len(free))]


def by_weight(weights: list[float], taken: set[int], stream: Stream) -> int:
    """A free item by its weight: 64 alias draws, then the cumulative weights of the free ones."""
    thresholds, aliases = alias_table(weights)
    for _ in range(64):
        i = stream.below(len(weights))
        item = i + 1 if stream.next_u64() < thresholds[i] else aliases[i]
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


def alias_table(weights: list[float]) -> tuple[list[int], list[int]]:
    """(thresholds, aliases) by Vose's method."""
    n, largest = len(weights), max(weights)
    scale = n / sum_in_order([weight / largest for weight in weights])
    shares = [weight / largest * scale for weight in weights]
    thresholds, aliases = [2**64 - 1] * n, list(range(1, n + 1))
    small = [i for i in range(n) if shares[i] < 1]
    large = [i for i in range(n) if not shares[i] < 1]
    while small and large:
        taker, giver = small.pop(), large[-1]
        thresholds[taker] = min(int(shares[taker] * 2.0**64), 2**64 - 1)
        aliases[taker] = giver + 1
        shares[giver] = (shares[giver] + shares[taker]) - 1.0
        if shares[giver] < 1:
            small.append(large.pop())
    return thresholds, aliases


def sum_in_order(values: list[float]) -> float:
    """Plain addition: the sum of Python 3.12 compensates its rounding, the kernel does not."""
    total = 0.0
    for value in values:
        total += value
    return total
