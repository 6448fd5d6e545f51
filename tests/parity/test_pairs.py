from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import pairs as reference
from reference.sequences import store
from seqrec import _core
from seqrec.errors import ConfigError, DataError


def weigh_pairs(histories, window):
    rows, columns, weights = _core.weigh_pairs(*store(histories), window)
    assert (weights.dtype, weights.shape) == (np.float64, rows.shape)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return dict(zip(pairs, weights.tolist(), strict=True))


items = st.integers(1, 6) | st.sampled_from([2**31 - 2, 2**31 - 1])
histories = st.lists(st.lists(items, max_size=12), max_size=6)


@given(histories, st.integers(1, 15))
def test_kernel_equals_its_twin(histories, window):
    found = weigh_pairs(histories, window)
    wanted = reference.weigh_pairs(histories, window)
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted, rel=1e-12)


def test_pairs_are_smaller_and_larger():
    assert weigh_pairs([[7, 5, 7]], 2) == {(5, 7): 2.0, (7, 7): 0.5}
    assert weigh_pairs([[9, 2, 9, 9]], 2) == {(2, 9): 2.5, (9, 9): 1.5}


def test_pairs_never_cross_users():
    assert weigh_pairs([[1, 2], [3]], 9) == {(1, 2): 1.0}


def test_no_histories_have_no_pairs():
    assert weigh_pairs([], 3) == {}
    assert weigh_pairs([[], [4]], 3) == {}


def test_the_training_part_alone_is_counted():
    stored, starts, stops = store([[1, 2, 3, 4], [2, 1, 3, 3]])
    rows, columns, weights = _core.weigh_pairs(stored, starts, stops - 2, 2)
    assert (rows.tolist(), columns.tolist(), weights.tolist()) == ([1], [2], [2.0])


@pytest.mark.parametrize("window", [0, 1025])
def test_a_window_outside_its_bounds_is_refused(window):
    with pytest.raises(ConfigError, match=f"`window` is {window}: it must be from 1 to 1024"):
        weigh_pairs([[1, 2]], window)


def test_padding_is_no_item():
    with pytest.raises(DataError, match=r"`items`\[1\] is 0, outside 1..="):
        weigh_pairs([[1, 0]], 1)


def test_a_range_outside_the_store_names_its_user():
    stored, starts, stops = store([[1], [2]])
    with pytest.raises(DataError, match=r"user 1: 1\.\.3 is not a range of the 2 stored items"):
        _core.weigh_pairs(stored, starts, stops + np.array([0, 1]), 1)


def test_same_weights_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    stored = store([rng.integers(1, 60, n).tolist() for n in rng.integers(0, 60, 300)])
    assert same_bytes(lambda: _core.weigh_pairs(*stored, 5))
