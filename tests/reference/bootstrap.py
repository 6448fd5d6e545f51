"""Means over users drawn with replacement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference.seed import BOOTSTRAP, Stream


def draws(seed: int, resample: int, n_users: int) -> list[int]:
    """The users of one resample, as many as there are."""
    stream = Stream(seed, resample, 0, 0, BOOTSTRAP)
    return [stream.below(n_users) for _ in range(n_users)]


def bootstrap_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """[resamples, C]: the mean of values [M, C] over the users of each resample."""
    return np.stack([values[draws(seed, r, len(values))].mean(axis=0) for r in range(resamples)])
