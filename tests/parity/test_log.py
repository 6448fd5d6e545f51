from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import log as reference
from seqrec import _core
from seqrec.errors import DataError


def sort_events(users, times=None):
    times = None if times is None else np.array(times, dtype=np.int64)
    return _core.sort_events(np.array(users, dtype=np.int32), times).tolist()


def group_events(users, items, times=None, n_users=5):
    times = None if times is None else np.array(times, dtype=np.int64)
    offsets, items, times = _core.group_events(
        np.array(users, dtype=np.int32), np.array(items, dtype=np.int32), times, True, n_users
    )
    return offsets.tolist(), items.tolist(), None if times is None else times.tolist()


users = st.integers(0, 4) | st.sampled_from([2**20, 2**31 - 1])
times = st.integers(-2, 2) | st.sampled_from([-(2**63), 2**63 - 1])


@given(st.lists(st.tuples(users, times), max_size=60), st.booleans())
def test_kernel_equals_its_twin(events, timed):
    users = [event[0] for event in events]
    times = [event[1] for event in events] if timed else None
    assert sort_events(users, times) == reference.sort_events(users, times)


@given(st.lists(st.tuples(st.integers(0, 4), times), max_size=60), st.booleans(), st.booleans())
def test_groups_are_the_sorted_events(events, timed, ordered):
    if ordered:
        events.sort(key=lambda event: event[1])
    users = [event[0] for event in events]
    times = [event[1] for event in events] if timed else None
    order = reference.sort_events(users, times)
    offsets, items, found = group_events(users, range(len(users)), times)
    assert (items, found) == (order, [times[row] for row in order] if timed else None)
    assert np.diff(offsets).tolist() == np.bincount(users, minlength=5).tolist()


def test_times_that_are_not_kept_still_sort():
    users, items = np.zeros(2, dtype=np.int32), np.array([7, 8], dtype=np.int32)
    for times, wanted in (([5, 9], [7, 8]), ([9, 5], [8, 7])):
        _, items_, none = _core.group_events(users, items, np.array(times), False, 1)
        assert (items_.tolist(), none) == (wanted, None)


def test_a_user_beyond_the_range_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"`users`\[1\] is 5, outside 0..=4"):
        group_events([0, 5], [1, 1])


@pytest.mark.parametrize(("items", "times"), [([1], [1, 2]), ([1, 2], [1])])
def test_columns_of_different_lengths_are_refused(items, times):
    with pytest.raises(DataError, match="has length 1, but 2 is needed"):
        group_events([0, 0], items, times)


def test_equal_times_keep_the_order_of_the_rows():
    assert sort_events([1, 0, 1, 0, 1], [7, 3, 7, 3, 2]) == [1, 3, 4, 0, 2]


def test_without_times_the_rows_of_a_user_keep_their_order():
    assert sort_events([2, 0, 2, 0]) == [1, 3, 0, 2]


def test_a_sorted_log_stays_as_it_is():
    assert sort_events([0, 0, 3], [1, 1, 0]) == [0, 1, 2]


def test_no_events_have_no_order():
    assert sort_events([]) == []
    assert sort_events([], []) == []


def test_a_negative_user_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"`users`\[1\] is -1, outside 0..="):
        sort_events([0, -1])


def test_a_time_is_needed_for_each_event():
    with pytest.raises(DataError, match="`times` has length 1, but 2 is needed"):
        sort_events([0, 1], [5])


def test_times_that_are_floats_are_refused():
    with pytest.raises(TypeError, match="times"):
        _core.sort_events(np.zeros(2, np.int32), np.zeros(2))


def test_same_order_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    users = rng.integers(0, 300, 50_000, dtype=np.int32)
    times = rng.integers(0, 50, 50_000)
    assert same_bytes(lambda: [_core.sort_events(users, times), _core.sort_events(users, None)])
    for order in (times, np.sort(times)):
        assert same_bytes(lambda order=order: _core.group_events(users, users, order, True, 300))
    assert (_core.sort_events(users, times) == np.lexsort((times, users))).all()
