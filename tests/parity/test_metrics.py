from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import metrics as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError

HALF_RANKS = st.integers(2, 200).map(lambda twice: twice / 2)
RANKS = st.lists(st.one_of(HALF_RANKS, st.just(np.inf)), max_size=20)


def rank_metrics(ranks, k):
    return _core.rank_metrics(np.array(ranks, dtype=np.float64), k)


@given(RANKS, st.integers(1, 50))
def test_kernel_equals_its_twin(ranks, k):
    wanted = [reference.rank_metrics(rank, k) for rank in ranks]
    found = rank_metrics(ranks, k)
    np.testing.assert_allclose(found, np.reshape(wanted, (len(ranks), 3)), rtol=1e-15)


def test_worked_example():
    # 1 / log2(1 + 3) = 1/2.
    assert rank_metrics([1.0, 3.0], 3).tolist() == [[1.0, 1.0, 1.0], [1.0, 0.5, 1 / 3]]


def test_a_fractional_rank_beyond_the_cut_is_no_hit():
    assert rank_metrics([10.5, 10.0], 10)[:, 0].tolist() == [0.0, 1.0]


def test_an_infinite_rank_is_a_miss():
    assert rank_metrics([np.inf], 10).tolist() == [[0.0, 0.0, 0.0]]


@given(RANKS, st.integers(1, 50))
def test_no_metric_falls_when_the_cut_grows(ranks, k):
    assert (rank_metrics(ranks, k) <= rank_metrics(ranks, k + 1)).all()


@given(st.integers(1, 20), st.integers(0, 100))
def test_a_constant_scorer_is_never_above_chance(k, more):
    n_items = 2 * k + more  # a cut over more than half of the catalogue holds the mean rank
    constant = rank_metrics([(n_items + 1) / 2], k)[0]
    chance = rank_metrics(np.arange(1, n_items + 1), k).mean(axis=0)
    assert (constant <= chance).all()


@pytest.mark.parametrize("rank", [0.5, 0.0, -1.0, np.nan, -np.inf])
def test_a_rank_that_cannot_be_is_refused(rank):
    with pytest.raises(DataError, match=r"`ranks`\[1\]"):
        rank_metrics([1.0, rank], 10)


def test_a_cut_of_zero_is_refused():
    with pytest.raises(ConfigError, match="`k` is 0"):
        rank_metrics([1.0], 0)


def test_same_metrics_for_any_number_of_threads(same_bytes):
    ranks = np.random.default_rng(0).integers(2, 60, 5000) / 2
    assert same_bytes(lambda: [rank_metrics(ranks, 10)])
