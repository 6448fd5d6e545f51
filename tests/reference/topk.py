"""The k best items by (score descending, id ascending)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

PAD = 0


def top_k(
    row: NDArray[np.float32], k: int, left_out: Collection[int]
) -> tuple[list[int], list[float]]:
    """(items, scores) of one row, filled up with (PAD, -inf) to length k."""
    remain = [
        (-float(score), item)
        for item, score in enumerate(row, start=1)
        if item not in left_out and score > -np.inf
    ]
    best = sorted(remain)[:k]
    missing = k - len(best)
    items = [item for _, item in best] + [PAD] * missing
    return items, [-score for score, _ in best] + [-np.inf] * missing
