"""Hit, ndcg and mrr at k of a user with one relevant item."""

from __future__ import annotations

import math


def rank_metrics(rank: float, k: int) -> tuple[float, float, float]:
    """(hit, ndcg, mrr); the ideal gain of one relevant item is 1."""
    if rank > k:
        return 0.0, 0.0, 0.0
    return 1.0, 1.0 / math.log2(1.0 + rank), 1.0 / rank
