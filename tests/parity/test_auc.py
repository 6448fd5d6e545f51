from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import auc as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError


@st.composite
def problems(draw):
    n_users, n_draws = draw(st.integers(1, 25)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 6, 10**6]))
    scores = rng.integers(0, levels, (n_users, 1 + n_draws)).astype(np.float32) - levels // 2
    return scores[:, 0].copy(), scores[:, 1:].copy()


def zeros(*shape):
    return np.zeros(shape, dtype=np.float32)


@given(problems())
def test_kernel_equals_its_twin(problem):
    found = _core.auc(*problem)
    np.testing.assert_allclose(found, reference.auc(*problem), rtol=1e-14)


@given(problems(), st.integers(1, 4), st.integers(0, 2**64 - 1))
def test_resampled_kernel_equals_its_twin(problem, resamples, seed):
    found = _core.bootstrap_auc(*problem, resamples, seed)
    wanted = reference.bootstrap_auc(*problem, resamples, seed)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_worked_example():
    # Pairs (0.8, 0.4) and (0.8, 0.6) are won, (0.4, 0.4) is a tie, (0.4, 0.6) is lost.
    positives = np.array([0.8, 0.4], dtype=np.float32)
    negatives = np.array([[0.4, 0.0], [0.6, 0.9]], dtype=np.float32)
    assert _core.auc(positives, negatives).tolist() == [2.5 / 4, 2 / 4]


@given(problems())
def test_turning_the_scores_round_turns_the_area_round(problem):
    positives, negatives = problem
    turned = _core.auc(-positives, -negatives)
    np.testing.assert_allclose(turned, 1.0 - _core.auc(positives, negatives), atol=1e-14)


def test_constant_scores_are_chance():
    assert _core.auc(zeros(7), zeros(7, 3)).tolist() == [0.5] * 3
    assert _core.bootstrap_auc(zeros(7), zeros(7, 3), 4, 0).tolist() == [0.5] * 4


def test_zero_has_no_sign():
    negatives = np.array([[-0.0], [0.0]], dtype=np.float32)
    assert _core.auc(zeros(2), negatives).tolist() == [0.5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_named_by_its_place(value):
    positives, negatives = zeros(3), zeros(3, 2)
    negatives[2, 1] = value
    with pytest.raises(DataError, match=r"`negatives` is .* in row 2, column 1"):
        _core.auc(positives, negatives)
    positives[1] = value
    with pytest.raises(DataError, match=r"`positives` is .* in row 1, column 0"):
        _core.bootstrap_auc(positives, negatives, 1, 0)


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (2, 3), (6, 1)])
def test_negatives_need_a_row_for_each_positive(shape):
    with pytest.raises(DataError, match="`negatives` has length"):
        _core.auc(zeros(3), zeros(*shape))


def test_no_users_are_refused():
    with pytest.raises(DataError, match="at least one user"):
        _core.auc(zeros(0), zeros(0, 2))


def test_no_resamples_are_refused():
    with pytest.raises(ConfigError, match="`resamples` is 0"):
        _core.bootstrap_auc(zeros(1), zeros(1, 2), 0, 0)


def test_same_areas_for_any_number_of_threads(same_bytes):
    scores = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    positives, negatives = scores[:, 0].copy(), scores[:, 1:].copy()
    assert same_bytes(lambda: [_core.auc(positives, negatives)])
    assert same_bytes(lambda: [_core.bootstrap_auc(positives, negatives, 100, 1)])
