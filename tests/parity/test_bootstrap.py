from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import bootstrap as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError, OutOfMemoryError


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**64 - 1))
def test_kernel_equals_its_twin(n_users, width, resamples, seed):
    values = np.random.default_rng(seed).normal(size=(n_users, width))
    found = _core.bootstrap_means(values, resamples, seed)
    wanted = reference.bootstrap_means(values, resamples, seed)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_one_user_is_its_own_mean():
    assert _core.bootstrap_means(np.array([[0.25, 4.0]]), 2, 9).tolist() == [[0.25, 4.0]] * 2


def test_two_runs_are_compared_on_the_same_users():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 8, (2, 50, 1)).astype(np.float64)
    apart = _core.bootstrap_means(second, 20, 3) - _core.bootstrap_means(first, 20, 3)
    paired = _core.bootstrap_means(second - first, 20, 3)
    np.testing.assert_allclose(apart, paired, atol=1e-12)


def test_the_interval_of_a_mean_has_its_known_width():
    # 400 values of 0 and 1 in equal parts: the mean's standard deviation is 0.025.
    values = np.tile([[0.0], [1.0]], (200, 1))
    means = _core.bootstrap_means(values, 2000, 0)[:, 0]
    low, high = np.percentile(means, [2.5, 97.5])
    assert (low, high) == pytest.approx((0.5 - 0.049, 0.5 + 0.049), abs=0.004)


def test_no_users_are_refused():
    with pytest.raises(DataError, match="at least one user"):
        _core.bootstrap_means(np.zeros((0, 2)), 5, 0)


def test_no_resample_is_refused():
    with pytest.raises(ConfigError, match="`resamples` is 0"):
        _core.bootstrap_means(np.zeros((3, 1)), 0, 0)


def test_resamples_beyond_memory_are_refused():
    with pytest.raises(OutOfMemoryError, match=f"not to be had for `resamples` = {2**61}"):
        _core.bootstrap_means(np.zeros((3, 1)), 2**61, 0)


def test_same_means_for_any_number_of_threads(same_bytes):
    values = np.random.default_rng(0).normal(size=(500, 3))
    assert same_bytes(lambda: [_core.bootstrap_means(values, 200, 1)])
