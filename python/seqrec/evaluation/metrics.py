"""The metrics of both tasks, user by user: the mean over users is the number in a report.

Next item: one relevant item a user, so idcg = 1 and recall@k is hit@k. Relevance: each user brings
one positive and D negatives, one for each draw; a draw is a balanced sample, 1 : 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check

ECE_BINS = 15


def hit(ranks: NDArray[np.float64], k: int = 10) -> NDArray[np.float64]:
    """1 where rank <= k, else 0. A fractional rank of 10.5 is no hit at 10."""
    return _at(ranks, k)[:, 0]


def ndcg(ranks: NDArray[np.float64], k: int = 10) -> NDArray[np.float64]:
    """1 / log2(1 + rank) where rank <= k, else 0."""
    return _at(ranks, k)[:, 1]


def mrr(ranks: NDArray[np.float64], k: int = 10) -> NDArray[np.float64]:
    """1 / rank where rank <= k, else 0."""
    return _at(ranks, k)[:, 2]


def recall(ranks: NDArray[np.float64], k: int = 10) -> NDArray[np.float64]:
    """The share of a user's relevant items in the first k: with one relevant item, hit@k."""
    return hit(ranks, k)


def probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function 1 / (1 + exp(-logit)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -logits))


def accuracy(positives: NDArray[np.float32], negatives: NDArray[np.float32]) -> NDArray[np.float64]:
    """The share of right answers of each user, mean over draws: float64 [M].

    "Takes it" is predicted where the logit is above 0; a logit of exactly 0 counts half.
    """
    right = (np.sign(positives) + 1.0) / 2
    rejected = ((1.0 - np.sign(negatives)) / 2).mean(axis=1, dtype=np.float64)
    return (right + rejected) / 2


def log_loss(positives: NDArray[np.float32], negatives: NDArray[np.float32]) -> NDArray[np.float64]:
    """The natural-log loss of each user, mean over draws and over both labels: float64 [M]."""
    taken = np.logaddexp(0.0, -positives.astype(np.float64))
    rejected = np.logaddexp(0.0, negatives.astype(np.float64)).mean(axis=1)
    return (taken + rejected) / 2


def auc(positives: NDArray[np.float32], negatives: NDArray[np.float32]) -> float:
    """P(a positive scores more than a negative), ties 1/2, pooled over users in each draw.

    The mean over draws.
    """
    pairs = (np.ascontiguousarray(scores, dtype=np.float32) for scores in (positives, negatives))
    return float(_core.auc(*pairs).mean())


def ece(
    positives: NDArray[np.float32], negatives: NDArray[np.float32], bins: int = ECE_BINS
) -> float:
    """Expected calibration error in equal-mass bins, mean over draws.

    The pairs of a draw are sorted by probability and cut into bins whose sizes differ by at most
    one: sum of size / total * |share of positives - mean probability|. Pairs of equal probability
    share their label evenly, so that the value cannot depend on the order of rows.
    """
    draws = [_ece_of_draw(positives, column, bins) for column in negatives.T]
    return float(np.mean(draws))


def _ece_of_draw(
    positives: NDArray[np.float32], negatives: NDArray[np.float32], bins: int
) -> float:
    logits = np.concatenate([positives, negatives]).astype(np.float64)
    labels = np.repeat([1.0, 0.0], len(positives))
    values, group = np.unique(logits, return_inverse=True)
    sizes = np.bincount(group)
    shares = np.bincount(group, weights=labels) / sizes
    gaps = np.repeat(shares - probability(values), sizes)
    return sum(abs(part.sum()) for part in np.array_split(gaps, bins)) / len(gaps)


def _at(ranks: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    check(k >= 1, "k", k, "at least 1")
    return _core.rank_metrics(np.ascontiguousarray(ranks, dtype=np.float64), k)
