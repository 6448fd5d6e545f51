"""95 % intervals over users, and the paired comparison of two runs.

Percentile bootstrap (Efron, 1979): users are drawn with replacement 2,000 times from a fixed seed.
The drawn users depend on the seed and the number of users alone, so two runs on the same users are
compared on the same resamples: the interval of a *difference* is what decides, never the overlap
of two intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.errors import DataError

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95

Verdict = Literal["better", "worse", "not shown"]


class Estimate(NamedTuple):
    """A value with its 95 % interval over users; no bounds where none is computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """First run minus second run, on the same users, with its paired 95 % interval.

    Attributes:
        difference: value of the first run minus value of the second.
        low: lower bound of the paired interval.
        high: upper bound of the paired interval.
        higher_is_better: False for losses.
    """

    difference: float
    low: float
    high: float
    higher_is_better: bool = True

    @property
    def verdict(self) -> Verdict:
        """Of the first run: "better" or "worse" only if the interval excludes 0."""
        if self.low <= 0.0 <= self.high:
            return "not shown"
        return "better" if (self.low > 0) == self.higher_is_better else "worse"


def mean_estimates(
    values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = SEED
) -> list[Estimate]:
    """Mean and interval of each column of values [M, C], a row being a user."""
    means = values.mean(axis=0)
    samples = _core.bootstrap_means(np.ascontiguousarray(values), resamples, seed)
    return [Estimate(float(m), *_bounds(s)) for m, s in zip(means, samples.T, strict=True)]


def auc_estimate(
    positives: NDArray[np.float32],
    negatives: NDArray[np.float32],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Pooled AUC, mean over draws; all draws of a user travel with the user."""
    value = float(_core.auc(positives, negatives).mean())
    return Estimate(value, *_bounds(_core.bootstrap_auc(positives, negatives, resamples, seed)))


def mean_difference(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    higher_is_better: bool = True,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Difference of the means of two runs' values [M] on the same users, in the same order."""
    _check_paired(len(first), len(second))
    gaps = np.ascontiguousarray((first - second)[:, None])
    samples = _core.bootstrap_means(gaps, resamples, seed)[:, 0]
    return Difference(float(gaps.mean()), *_bounds(samples), higher_is_better)


def auc_difference(
    first: tuple[NDArray[np.float32], NDArray[np.float32]],
    second: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Difference of the pooled AUC of two runs' (positives [M], negatives [M, D])."""
    _check_paired(len(first[0]), len(second[0]))
    value = float(_core.auc(*first).mean() - _core.auc(*second).mean())
    samples = [_core.bootstrap_auc(*run, resamples, seed) for run in (first, second)]
    return Difference(value, *_bounds(samples[0] - samples[1]))


def _bounds(samples: NDArray[np.float64]) -> tuple[float, float]:
    tail = (1.0 - LEVEL) / 2
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return float(low), float(high)


def _check_paired(first: int, second: int) -> None:
    if first != second:
        raise DataError(
            f"a paired comparison needs the same users in both runs: {first} and {second} differ"
        )
