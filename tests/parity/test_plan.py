from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import plan as reference
from reference.window import count
from seqrec import _core
from seqrec.errors import ConfigError, DataError
from strategies import POLICIES, stores, words

orders = st.tuples(words, words, st.integers(1, 5))


def bounds(lengths):
    stops = np.cumsum(lengths, dtype=np.int64)
    return stops - np.array(lengths, dtype=np.int64), stops


def windows(lengths, policy, sizes, order):
    """Rows (user, k, length); sizes = width, stride, overlap, min_length."""
    found = _core.plan_windows(*bounds(lengths), policy, *sizes, *order)
    return list(zip(*(column.tolist() for column in found), strict=True))


def targets(some, per_user, max_length, order):
    """Rows (user, k, position)."""
    _, starts, stops = some.arrays
    found = _core.plan_targets(some.first, starts, stops, per_user, max_length, *order)
    return list(zip(*(column.tolist() for column in found), strict=True))


@st.composite
def sizes(draw):
    width = draw(st.integers(2, 8))
    overlap = draw(st.integers(0, 1))
    stride = draw(st.integers(1, width - overlap))
    return width, stride, overlap, draw(st.integers(0, 3))


lengths = st.lists(st.integers(0, 30), max_size=60)
kinds = st.sampled_from(POLICIES)


@given(lengths, kinds, sizes(), orders)
def test_window_kernel_equals_its_twin(lengths, policy, sizes, order):
    assert windows(lengths, policy, sizes, order) == reference.windows(
        lengths, policy, sizes, order
    )


@given(st.data(), stores(), st.integers(1, 8), st.integers(1, 30), orders)
def test_target_kernel_equals_its_twin(data, some, per_user, max_length, order):
    marks = [m[: len(h)] for m, h in zip(some.marks, some.histories, strict=True)]
    assert targets(some, per_user, max_length, order) == reference.targets(
        marks, per_user, max_length, order
    )


@given(lengths, kinds, sizes(), orders)
def test_every_window_comes_once(lengths, policy, sizes, order):
    width, stride, overlap, min_length = sizes
    wanted = [
        (user, k)
        for user, n in enumerate(lengths)
        if n >= max(min_length, 1)
        for k in range(count(policy, n, width, stride, overlap))
    ]
    assert sorted((user, k) for user, k, _ in windows(lengths, policy, sizes, order)) == wanted


@given(stores(), st.integers(1, 8), orders)
def test_targets_are_new_items_with_a_history_and_distinct(some, per_user, order):
    found = targets(some, per_user, 9, order)
    assert len({(user, position) for user, _, position in found}) == len(found)
    for user, _, position in found:
        assert 1 <= position < len(some.histories[user])
        assert some.histories[user][position] not in some.histories[user][:position]


@pytest.mark.parametrize(("n", "per_user"), [(8, 3), (17, 16), (6, 4)])
def test_every_eligible_target_is_drawn_as_often(n, per_user):
    first = np.ones(n + 1, np.uint8)
    starts, stops = bounds([n + 1])
    epochs = [
        _core.plan_targets(first, starts, stops, per_user, 9, 5, e, 4)[2] for e in range(3000)
    ]
    counts = np.bincount(np.concatenate(epochs), minlength=n + 1)[1:]
    share = per_user / n
    # Binomial for each position, one of which may be off by four standard deviations.
    assert abs(counts - 3000 * share).max() < 4 * np.sqrt(3000 * share * (1 - share)) + 1


def test_full_batches_come_first_and_the_rest_last():
    # 100 chunks would hide it: 7 rows in batches of 3, of which any may be left over.
    lengths, left_over = [2, 3, 4, 5, 6, 7, 8], []
    for epoch in range(210):
        found = [n for _, _, n in windows(lengths, "last", (9, 1, 1, 2), (1, epoch, 3))]
        first, second = sorted([sorted(found[:3]), sorted(found[3:6])])
        assert [*first, *second] == sorted(found[:6])
        left_over.append(found[6])
    counts = np.bincount(left_over, minlength=9)[2:]
    assert ((counts - 30) ** 2 / 30).sum() < 22.5  # p = 0.001 for 6 degrees


def test_rows_of_a_batch_have_similar_lengths():
    spread = [2 + i % 50 for i in range(6400)]
    found = windows(spread, "last", (60, 1, 1, 2), (3, 0, 20))
    batches = np.array([n for _, _, n in found]).reshape(-1, 20)
    assert np.ptp(batches, axis=1).mean() < 4
    # and the batches do not come by length
    assert abs(np.corrcoef(batches.mean(axis=1), np.arange(len(batches)))[0, 1]) < 0.2


def test_epochs_and_seeds_have_orders_of_their_own():
    base, *others = (
        windows([3] * 50, "last", (9, 1, 1, 2), order)
        for order in [(0, 0, 4), (0, 1, 4), (1, 0, 4)]
    )
    assert all(base != other for other in others)


@pytest.mark.parametrize("policy", POLICIES)
def test_users_with_too_few_items_have_no_row(policy):
    found = windows([0, 1, 2], policy, (4, 2, 1, 2), (0, 0, 4))
    assert found == [(2, 0, 2)]


def test_no_users_have_an_empty_plan():
    assert windows([], "last", (4, 2, 1, 2), (0, 0, 4)) == []


def test_same_bytes_for_any_number_of_threads(same_bytes):
    starts, stops = bounds([i % 40 for i in range(5000)])
    first = np.ones(stops[-1], np.uint8)
    assert same_bytes(lambda: _core.plan_windows(starts, stops, "random", 5, 1, 1, 2, 3, 4, 16))
    assert same_bytes(lambda: _core.plan_targets(first, starts, stops, 4, 20, 3, 4, 16))


@pytest.mark.parametrize(
    ("policy", "sizes", "batch_size", "option"),
    [
        ("last", (4, 1, 4, 2), 4, "`overlap` is 4: it must be less than the width"),
        ("sliding", (4, 4, 1, 2), 4, "`stride` is 4: it must be at most width - overlap"),
        ("last", (4, 1, 1, 2), 0, "`batch_size` is 0"),
    ],
)
def test_an_impossible_size_names_its_option(policy, sizes, batch_size, option):
    with pytest.raises(ConfigError, match=option):
        windows([3], policy, sizes, (0, 0, batch_size))


@pytest.mark.parametrize(
    ("per_user", "max_length", "option"), [(0, 4, "per_user"), (3, 0, "max_length")]
)
def test_targets_of_size_0_are_refused(per_user, max_length, option):
    starts, stops = bounds([2])
    with pytest.raises(ConfigError, match=f"`{option}` is 0"):
        _core.plan_targets(np.ones(2, np.uint8), starts, stops, per_user, max_length, 0, 0, 4)


def test_bounds_that_are_no_range_name_the_user():
    with pytest.raises(DataError, match=r"user 1: 3\.\.2 is not a range"):
        _core.plan_windows(np.array([0, 3]), np.array([3, 2]), "last", 4, 1, 1, 2, 0, 0, 4)
    with pytest.raises(DataError, match=r"user 0: 0\.\.3 is not a range of the 2 stored items"):
        _core.plan_targets(np.ones(2, np.uint8), np.array([0]), np.array([3]), 2, 9, 0, 0, 4)
