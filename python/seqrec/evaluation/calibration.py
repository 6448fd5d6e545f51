"""Logits out of scores: a two-parameter logistic fit on the validation pairs.

logit = slope * score + intercept, fitted by maximum likelihood to the positives and, weighted
1 : 1, all draws of the negatives. The labels are Platt's (1999), (n + 1) / (n + 2) and
1 / (n + 2) for n pairs of each kind, so that scores which separate the pairs have a finite fit,
too. Newton's steps are halved until the loss falls (Lin, Lin & Weng, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqrec.data.sequences import Sequences
from seqrec.data.split import Split
from seqrec.errors import DataError
from seqrec.evaluation.metrics import probability
from seqrec.evaluation.relevance import evaluate_relevance
from seqrec.evaluation.scorers import PairScorer, host_scores

_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A pair scorer whose logits are a line through another's scores.

    Attributes:
        scorer: gives the scores.
        slope: factor of a score.
        intercept: the logit of a score of 0.
    """

    scorer: PairScorer
    slope: float
    intercept: float

    def __call__(
        self, sequences: Sequences, users: NDArray[np.int32], candidates: NDArray[np.int32], /
    ) -> NDArray[np.float32]:
        """Logits [B, C] of candidates [B, C]."""
        scores = host_scores(self.scorer(sequences, users, candidates)).astype(np.float64)
        return (self.slope * scores + self.intercept).astype(np.float32)


def calibrated(
    scorer: PairScorer, split: Split, negatives: NDArray[np.int32], *, batch_size: int = 256
) -> Calibrated:
    """The scorer with logits fitted on the validation pairs.

    Args:
        scorer: any pair scorer; only the order and the spacing of its scores matter.
        split: the pairs are those of `split.valid`.
        negatives: int32 [M, D], the validation negatives.
        batch_size: users scored at once.
    """
    found = evaluate_relevance(scorer, split, split.valid, negatives, batch_size=batch_size)
    return Calibrated(scorer, *fit_logistic(found.positives, found.negatives))


def fit_logistic(
    positives: NDArray[np.float32], negatives: NDArray[np.float32]
) -> tuple[float, float]:
    """(slope, intercept) of the fit to scores of positives [M] and negatives [M, D].

    A constant score gets slope 0 and intercept 0: it knows nothing.
    """
    scores = np.concatenate([positives, negatives.ravel()]).astype(np.float64)
    weights = np.repeat([1.0, 1.0 / negatives.shape[1]], [positives.size, negatives.size])
    n = positives.size
    labels = np.repeat([(n + 1) / (n + 2), 1 / (n + 2)], [positives.size, negatives.size])
    if np.ptp(scores) == 0.0:
        return 0.0, 0.0
    centre, spread = float(scores.mean()), float(scores.std())
    slope, intercept = _newton((scores - centre) / spread, labels, weights)
    return float(slope / spread), float(intercept - slope * centre / spread)


def _newton(
    scores: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    columns = np.column_stack([scores, np.ones_like(scores)])
    fit = np.zeros(2)
    loss = _loss(columns @ fit, labels, weights)
    for _ in range(_STEPS):
        chance = probability(columns @ fit)
        slope = columns.T @ (weights * (chance - labels))
        curve = (columns.T * (weights * chance * (1.0 - chance))) @ columns
        step = np.linalg.solve(curve, slope)
        if float(slope @ step) < _TOLERANCE * weights.sum():
            return fit
        while (moved := _loss(columns @ (fit - step), labels, weights)) > loss:
            step /= 2
        fit, loss = fit - step, moved
    raise DataError(f"the logistic fit of {len(scores)} scores did not settle in {_STEPS} steps")


def _loss(
    logits: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Weighted cross-entropy against soft labels."""
    return float(weights @ (np.logaddexp(0.0, logits) - labels * logits))
