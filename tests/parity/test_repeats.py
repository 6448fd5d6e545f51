from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import repeats as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError

POLICIES = ("keep", "first", "drop-consecutive")


def offsets_of(users):
    """Where the events of each user start in a sorted log, and the end of the last."""
    return np.searchsorted(users, np.arange(max([*users, -1]) + 2)).astype(np.int64)


def mark_repeats(users, items, times=None, policy="keep"):
    times = None if times is None else np.array(times, dtype=np.int64)
    keep, duplicates, repeats = _core.mark_repeats(
        offsets_of(users), np.array(items, dtype=np.int32), times, policy
    )
    assert keep.dtype == np.bool_
    return keep.tolist(), duplicates, repeats


event = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4))


@given(st.lists(event, max_size=60), st.booleans(), st.sampled_from(POLICIES))
def test_kernel_equals_its_twin(events, timed, policy):
    events.sort(key=lambda event: event[:2])
    users, times, items = zip(*events, strict=True) if events else ((), (), ())
    times = times if timed else None
    wanted = reference.mark_repeats(users, items, times, policy)
    assert mark_repeats(users, items, times, policy) == wanted


def test_an_exact_duplicate_goes_even_with_another_event_between():
    found = mark_repeats([0] * 4, [8, 9, 8, 8], [1, 1, 1, 2])
    assert found == ([True, True, False, True], 1, 0)


def test_without_times_nothing_is_an_exact_duplicate():
    assert mark_repeats([0, 0], [8, 8]) == ([True, True], 0, 0)


def test_first_keeps_one_event_of_each_user_and_item():
    found = mark_repeats([0, 0, 0, 1], [8, 9, 8, 8], policy="first")
    assert found == ([True, True, False, True], 0, 1)


def test_consecutive_means_next_to_the_last_event_that_stayed():
    # The duplicate at time 1 is gone before the policy asks what came before the last event.
    found = mark_repeats([0] * 4, [8, 9, 8, 9], [1, 1, 1, 2], "drop-consecutive")
    assert found == ([True, True, False, False], 1, 1)


def test_consecutive_never_looks_at_another_user():
    assert mark_repeats([0, 1], [8, 8], policy="drop-consecutive") == ([True, True], 0, 0)


def test_no_events_have_no_repeats():
    assert mark_repeats([], [], []) == ([], 0, 0)


def test_an_unknown_policy_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match=r'`policy` is "last": it must be "keep", "first"'):
        mark_repeats([0], [1], policy="last")


@pytest.mark.parametrize(
    ("offsets", "refused"),
    [
        ([], "length 0"),
        ([1, 2], r"\[0\] is 1"),
        ([0, 3], r"\[1\] is 3"),
        ([0, 2, 1], r"\[2\] is 1"),
    ],
)
def test_offsets_that_are_not_those_of_the_items_are_refused(offsets, refused):
    with pytest.raises(DataError, match=f"`offsets`.*{refused}"):
        _core.mark_repeats(np.array(offsets, np.int64), np.ones(2, np.int32), None, "keep")


def test_times_out_of_order_are_refused():
    with pytest.raises(DataError, match=r"`times`\[1\] is 4, outside 5..="):
        mark_repeats([0, 0], [1, 1], [5, 4])


def test_a_time_is_needed_for_each_item():
    with pytest.raises(DataError, match="`times` has length 1, but 2 is needed"):
        mark_repeats([0, 0], [1, 2], [1])


@pytest.mark.parametrize("policy", POLICIES)
def test_same_marks_for_any_number_of_threads(same_bytes, policy):
    rng = np.random.default_rng(0)
    offsets = offsets_of(np.sort(rng.integers(0, 300, 20_000)))
    times = np.arange(20_000) // 3
    items = rng.integers(1, 9, 20_000, dtype=np.int32)

    def call():
        keep, *counts = _core.mark_repeats(offsets, items, times, policy)
        return [keep, np.array(counts)]

    assert same_bytes(call)
