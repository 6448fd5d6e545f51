import numpy as np
import pytest
from scipy import optimize

from seqrec.evaluation.baselines import Popularity
from seqrec.evaluation.calibration import calibrated, fit_logistic
from seqrec.evaluation.relevance import evaluate_relevance
from seqrec.evaluation.scorers import pairs_by_column
from unit.evaluation.toy_split import random_split


def test_the_fit_finds_the_line_behind_the_labels():
    rng = np.random.default_rng(0)
    scores = rng.normal(5, 2, 200_000)
    taken = rng.random(len(scores)) < 1 / (1 + np.exp(-(0.7 * scores - 3.5)))
    n = min(taken.sum(), (~taken).sum())
    positives, negatives = scores[taken][:n], scores[~taken][:n, None]
    slope, intercept = fit_logistic(positives.astype(np.float32), negatives.astype(np.float32))
    assert slope == pytest.approx(0.7, rel=0.03)
    assert intercept == pytest.approx(-3.5, rel=0.03)


def test_newton_ends_where_a_general_optimizer_ends():
    rng = np.random.default_rng(0)
    positives = rng.normal(1, 1, 40).astype(np.float32)
    negatives = rng.normal(0, 1, (40, 3)).astype(np.float32)
    high, low = 41 / 42, 1 / 42

    def loss(fit):
        taken, rejected = fit[0] * positives + fit[1], fit[0] * negatives + fit[1]
        one = (np.logaddexp(0, taken) - high * taken).sum()
        return one + (np.logaddexp(0, rejected) - low * rejected).sum() / 3

    expected = optimize.minimize(loss, np.zeros(2), tol=1e-10).x
    assert fit_logistic(positives, negatives) == pytest.approx(expected, abs=1e-4)


def test_separated_scores_have_a_finite_fit():
    slope, intercept = fit_logistic(np.ones(50, np.float32), np.zeros((50, 2), np.float32))
    assert 0 < slope < 20
    assert intercept == pytest.approx(-slope / 2)


def test_a_constant_score_is_calibrated_to_no_knowledge():
    assert fit_logistic(np.full(5, 7, np.float32), np.full((5, 2), 7, np.float32)) == (0.0, 0.0)


def test_the_scale_of_the_scores_does_not_matter():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(1, 1, 40), rng.normal(0, 1, (40, 3))
    slope, intercept = fit_logistic(positives, negatives)
    scaled, shifted = fit_logistic(1e6 * positives + 1e6, 1e6 * negatives + 1e6)
    assert scaled * 1e6 == pytest.approx(slope)
    assert shifted + 1e6 * scaled == pytest.approx(intercept)


def test_a_calibrated_baseline_keeps_the_order_of_its_scores():
    split = random_split(60, 30)
    rng = np.random.default_rng(0)
    negatives = rng.integers(1, 31, (60, 3)).astype(np.int32)
    raw = pairs_by_column(Popularity.fit(split.train, 30))
    scorer = calibrated(raw, split, negatives)
    assert scorer.slope != 0
    one = evaluate_relevance(raw, split, split.test, negatives).values()["auc"]
    two = evaluate_relevance(scorer, split, split.test, negatives).values()["auc"]
    assert two == pytest.approx(one if scorer.slope > 0 else 1 - one)
