from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import sets as reference
from reference.sequences import store
from seqrec import _core
from seqrec.errors import DataError

histories = st.lists(st.lists(st.integers(1, 6), max_size=12), max_size=8)


def of(items, starts, stops):
    bounds = np.array(starts, dtype=np.int64), np.array(stops, dtype=np.int64)
    return np.array(items, dtype=np.int32), *bounds


@given(histories)
def test_first_occurrences_equal_their_twin(histories):
    found = _core.first_occurrences(*store(histories))
    assert found.dtype == np.uint8
    assert found.tolist() == reference.first_occurrences(histories)


@given(histories)
def test_sets_equal_their_twin(histories):
    offsets, members = _core.sorted_sets(*store(histories))
    found = [members[a:b].tolist() for a, b in pairwise(offsets)]
    assert found == reference.sorted_sets(histories)
    assert (offsets[0], offsets[-1]) == (0, len(members))


@given(histories)
def test_counts_equal_their_twin(histories):
    counts = _core.count_items(*store(histories), 6)
    assert counts.dtype == np.int64
    assert counts.tolist() == reference.count_items(histories, 6)


def test_an_item_beyond_the_catalogue_is_not_counted():
    with pytest.raises(DataError, match=r"`items`\[1\] is 3, outside 1..=2"):
        _core.count_items(*store([[1, 3]]), 2)


def test_a_catalogue_beyond_all_numbers_is_refused():
    with pytest.raises(DataError, match=f"{2**62} items are more than the 2147483646"):
        _core.count_items(*store([[1, 3]]), 2**62)


@given(histories.filter(len), st.data())
def test_targets_are_found_in_their_own_history(histories, data):
    row = st.tuples(st.integers(0, len(histories) - 1), st.integers(1, 7))
    rows = data.draw(st.lists(row, max_size=9))
    users, targets = np.array(rows, dtype=np.int32).reshape(-1, 2).T.copy()
    found = _core.contain(*store(histories), users, targets)
    assert found.tolist() == [target in histories[user] for user, target in rows]


def test_a_target_is_needed_for_each_user():
    with pytest.raises(DataError, match="`targets` has length 1, but 2 is needed"):
        _core.contain(*store([[1]]), np.zeros(2, np.int32), np.ones(1, np.int32))


def test_an_item_is_new_to_each_user():
    assert _core.first_occurrences(*store([[5, 6, 5], [], [5]])).tolist() == [1, 1, 0, 1]


def test_events_outside_every_range_are_no_first_occurrence():
    found = _core.first_occurrences(*of([1, 1, 2, 2, 2], [0, 3], [2, 4]))
    assert found.tolist() == [1, 0, 0, 1, 0]


def test_sets_follow_the_ranges_whatever_their_order():
    offsets, members = _core.sorted_sets(*of([9, 3, 9, 4], [2, 0], [4, 3]))
    assert (offsets.tolist(), members.tolist()) == ([0, 2, 4], [4, 9, 3, 9])


def test_no_users_have_no_sets():
    offsets, members = _core.sorted_sets(*of([], [], []))
    assert (offsets.tolist(), members.tolist()) == ([0], [])
    assert _core.first_occurrences(*of([], [], [])).tolist() == []


def test_users_that_overlap_are_refused_for_first_occurrences():
    with pytest.raises(DataError, match=r"`starts`\[1\] is 1, outside 2..=3"):
        _core.first_occurrences(*of([1, 2, 3], [0, 1], [2, 3]))


@pytest.mark.parametrize("kernel", [_core.first_occurrences, _core.sorted_sets])
class TestBadInput:
    def test_padding_is_no_item(self, kernel):
        with pytest.raises(DataError, match=r"`items`\[1\] is 0, outside 1..="):
            kernel(*of([1, 0], [0], [2]))

    @pytest.mark.parametrize("bounds", [(0, 3), (-1, 1), (2, 1)])
    def test_a_range_outside_the_store_names_its_user(self, kernel, bounds):
        with pytest.raises(DataError, match=r"user 1: .* is not a range of the 2 stored items"):
            kernel(*of([1, 2], [0, bounds[0]], [0, bounds[1]]))

    def test_a_stop_is_needed_for_each_start(self, kernel):
        with pytest.raises(DataError, match="`stops` has length 1, but 2 is needed"):
            kernel(*of([1, 2], [0, 1], [1]))


def test_same_bytes_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    stored = store([rng.integers(1, 20, n).tolist() for n in rng.integers(0, 40, 500)])
    assert same_bytes(lambda: [_core.first_occurrences(*stored), *_core.sorted_sets(*stored)])
