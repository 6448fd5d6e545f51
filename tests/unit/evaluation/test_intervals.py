import numpy as np
import pytest

from seqrec.errors import DataError
from seqrec.evaluation.intervals import (
    Difference,
    auc_difference,
    auc_estimate,
    mean_difference,
    mean_estimates,
)


def test_the_interval_holds_the_mean():
    values = np.random.default_rng(0).random((200, 2))
    for column, estimate in zip(values.T, mean_estimates(values), strict=True):
        assert estimate.value == pytest.approx(column.mean())
        assert estimate.low < estimate.value < estimate.high


def test_the_interval_has_the_width_of_the_normal_one():
    values = np.random.default_rng(0).normal(size=(2000, 1))
    (estimate,) = mean_estimates(values)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_the_same_values_have_the_same_interval():
    values = np.random.default_rng(0).random((50, 1))
    assert mean_estimates(values) == mean_estimates(values.copy())


def test_a_constant_difference_is_certain():
    values = np.random.default_rng(0).random(50)
    difference = mean_difference(values + 0.25, values)
    assert difference.low == pytest.approx(0.25)
    assert difference.verdict == "better"


def test_the_paired_interval_is_narrower_than_the_two_intervals():
    rng = np.random.default_rng(0)
    users, gain = rng.normal(0, 1, 500), rng.normal(0.02, 0.1, 500)
    difference = mean_difference(users + gain, users)
    (alone,) = mean_estimates(users[:, None])
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)


def test_a_true_null_is_called_different_in_about_one_of_twenty():
    rng = np.random.default_rng(3)
    verdicts = [
        mean_difference(rng.random(150), rng.random(150), resamples=400).verdict for _ in range(300)
    ]
    wrong = sum(verdict != "not shown" for verdict in verdicts) / len(verdicts)
    assert 0.02 <= wrong <= 0.09


def test_a_smaller_loss_is_better():
    values = np.random.default_rng(0).random(50)
    assert mean_difference(values - 1, values, higher_is_better=False).verdict == "better"


def test_auc_has_an_interval_around_it():
    rng = np.random.default_rng(0)
    positives = rng.normal(1, 1, 300).astype(np.float32)
    negatives = rng.normal(0, 1, (300, 3)).astype(np.float32)
    estimate = auc_estimate(positives, negatives)
    assert estimate.low < estimate.value < estimate.high


def test_the_better_ordering_has_the_better_auc():
    rng = np.random.default_rng(0)
    positives = rng.normal(0, 1, 300).astype(np.float32)
    negatives = rng.normal(0, 1, (300, 3)).astype(np.float32)
    difference = auc_difference((positives + 2, negatives), (positives, negatives))
    assert difference.verdict == "better"


def test_runs_on_different_users_are_not_paired():
    with pytest.raises(DataError, match="3 and 4 differ"):
        mean_difference(np.zeros(3), np.zeros(4))


def test_an_interval_that_touches_zero_shows_nothing():
    assert Difference(0.1, 0.0, 0.2).verdict == "not shown"
