"""Whether what is drawn has the right distribution, and is drawn anew.

Needs NumPy and SciPy alone: benches/peers reads this file where seqrec is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

SMALLEST_P = 1e-7  # a right sampler fails so rarely; wrong ones fail by hundreds of digits
GROUPS = 50  # of items, for the chi-square test: enough draws are expected in each


def frequency_fault(counted: NDArray[np.float64], expected: NDArray[np.float64]) -> str | None:
    """A chi-square test over groups of items, ordered by how often they are expected."""
    order = np.argsort(-expected, kind="stable")
    bounds = np.searchsorted(np.cumsum(expected[order]), np.linspace(0, expected.sum(), GROUPS + 1))
    starts = np.unique(bounds[:-1])
    found = np.add.reduceat(counted[order], starts)
    wanted = np.add.reduceat(expected[order], starts)
    enough = wanted >= 5
    if enough.sum() < 2:
        return None  # too few draws to say anything
    chi_square = ((found - wanted)[enough] ** 2 / wanted[enough]).sum()
    p = float(stats.chi2.sf(chi_square, int(enough.sum()) - 1))
    if p < SMALLEST_P:
        return f"negatives are not distributed as they should be (p = {p:.1e})"
    return None


def same_fault(name: str, batches: Sequence[NDArray[Any]]) -> str | None:
    """Whether two rows, or the same rows of two calls, are alike though they are drawn."""
    wide = [batch for batch in batches if len(batch) and batch.shape[1] >= 20]
    for batch in wide:
        if len(batch) > 1 and len(np.unique(batch, axis=0)) < 0.9 * len(batch):
            return f"{name} of different rows are the same"
    if len(wide) > 1 and wide[0].shape == wide[1].shape and np.array_equal(wide[0], wide[1]):
        return f"{name} of two calls are the same"
    return None
