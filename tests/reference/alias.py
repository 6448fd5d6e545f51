"""The alias method: the twin of rust/core/src/alias.rs."""

from __future__ import annotations


def alias_table(weights: list[float]) -> tuple[list[int], list[int]]:
    """(thresholds, aliases) by Vose's method; thresholds are 32-bit numbers."""
    n, largest = len(weights), max(weights)
    scale = n / sum_in_order([weight / largest for weight in weights])
    shares = [weight / largest * scale for weight in weights]
    thresholds, aliases = [2**32 - 1] * n, list(range(1, n + 1))
    small = [i for i in range(n) if shares[i] < 1]
    large = [i for i in range(n) if not shares[i] < 1]
    while small and large:
        taker, giver = small.pop(), large[-1]
        thresholds[taker] = int(shares[taker] * 2.0**32)
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
