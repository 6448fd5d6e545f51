"""Pooled AUC by looking at every pair of a positive and a negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference.bootstrap import draws


def auc(positives: NDArray[np.float32], negatives: NDArray[np.float32]) -> NDArray[np.float64]:
    """[D]: the share of pairs won by the positive in each column of negatives, ties 1/2."""
    wins = positives[:, None, None] > negatives[None, :, :]
    ties = positives[:, None, None] == negatives[None, :, :]
    return (wins + 0.5 * ties).mean(axis=(0, 1))


def bootstrap_auc(
    positives: NDArray[np.float32], negatives: NDArray[np.float32], resamples: int, seed: int
) -> NDArray[np.float64]:
    """[resamples]: the mean AUC over columns, all scores of a user going with the user."""
    users = [draws(seed, r, len(positives)) for r in range(resamples)]
    return np.array([auc(positives[u], negatives[u]).mean() for u in users])
