"""Counts of other items above and beside the target, over the catalogue that remains."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

SEEN_TARGET = (-1, 0, 0)


def rank_counts(
    row: NDArray[np.float32], target: int, seen: Collection[int]
) -> tuple[int, int, int]:
    """(greater, equal, equal_before) of one row; item i has score row[i - 1]."""
    if target in seen:
        return SEEN_TARGET
    score = row[target - 1]
    others = [i for i in range(1, len(row) + 1) if i != target and i not in seen]
    greater = sum(bool(row[i - 1] > score) for i in others)
    equal = [i for i in others if row[i - 1] == score]
    return greater, len(equal), sum(i < target for i in equal)
