from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import ranks as reference
from seqrec import _core
from seqrec.errors import DataError


def rank_counts(scores, targets, histories, *, users=None, filter_seen=True):
    """The kernel on plain lists: one history for each row, unless `users` says otherwise."""
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    stops = np.cumsum(lengths, dtype=np.int64)
    return _core.rank_counts(
        np.array(scores, dtype=np.float32),
        np.array(targets, dtype=np.int32),
        np.array([item for history in histories for item in history], dtype=np.int32),
        stops - lengths,
        stops,
        np.array(range(len(histories)) if users is None else users, dtype=np.int32),
        filter_seen,
    )


@st.composite
def problems(draw):
    n_items = draw(st.integers(1, 12))
    item = st.integers(1, n_items)
    some = st.sampled_from([-1.0, -0.0, 0.0, 2.5])
    values = draw(st.sampled_from([st.just(0.0), some, st.floats(-1e3, 1e3, width=32)]))
    scores = st.lists(values, min_size=n_items, max_size=n_items)
    row = st.tuples(scores, item, st.lists(item, max_size=20))
    return tuple(zip(*draw(st.lists(row, min_size=1, max_size=5)), strict=True))


@given(problems(), st.booleans())
def test_kernel_equals_its_twin(problem, filter_seen):
    scores, targets, histories = problem
    found = rank_counts(scores, targets, histories, filter_seen=filter_seen)
    rows = np.array(scores, dtype=np.float32)
    seen = [set(history) if filter_seen else set() for history in histories]
    wanted = list(map(reference.rank_counts, rows, targets, seen))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == wanted


def test_worked_example():
    # Of items 1..6 the user took 2 and 5; target 4 is beaten by 1 and ties with 3 and 6.
    scores = [[0.9, 0.8, 0.5, 0.5, 0.5, 0.5]]
    greater, equal, before = rank_counts(scores, [4], [[5, 2, 2]])
    assert (greater.tolist(), equal.tolist(), before.tolist()) == ([1], [2], [1])


def test_without_the_filter_seen_items_compete():
    greater, equal, _ = rank_counts([[0.9, 0.5, 0.1]], [3], [[1, 2]], filter_seen=False)
    assert (greater.tolist(), equal.tolist()) == ([2], [0])


def test_a_target_of_the_input_is_a_miss():
    greater, _, _ = rank_counts([[0.9, 0.5]], [1], [[2, 1]])
    assert greater.tolist() == [-1]


def test_the_only_item_is_first():
    assert [column.tolist() for column in rank_counts([[0.0]], [1], [[]])] == [[0], [0], [0]]


@given(problems())
def test_a_constant_scorer_has_the_mean_rank_everywhere(problem):
    scores, _, histories = problem
    items = range(1, len(scores[0]) + 1)
    for history in histories:
        left = [item for item in items if item not in history]
        constant = np.zeros((len(left), len(items)))
        greater, equal, _ = rank_counts(constant, left, [history] * len(left))
        assert (1 + greater + equal / 2 == (len(left) + 1) / 2).all()


def test_rows_may_come_in_any_order_of_users():
    scores = [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]
    greater, _, _ = rank_counts(scores, [1, 1], [[], [2]], users=[1, 0])
    assert greater.tolist() == [1, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_score_that_is_not_finite_names_row_user_and_item(value, column):
    scores = np.zeros((2, 3))
    scores[1, column] = value
    with pytest.raises(DataError, match=rf"item {column + 1} for user 5 \(row 1\)"):
        rank_counts(scores, [2, 2], [[]] * 4 + [[1], [3]], users=[4, 5])


@pytest.mark.parametrize("target", [0, 4, -1])
def test_a_target_outside_the_catalogue_is_refused(target):
    with pytest.raises(DataError, match=rf"`targets`\[1\] is {target}, outside 1..=3"):
        rank_counts(np.zeros((2, 3)), [1, target], [[], []])


def test_a_target_is_needed_for_each_row():
    with pytest.raises(DataError, match="`targets` has length 1, but 2 is needed"):
        rank_counts(np.zeros((2, 3)), [1], [[], []])


def test_a_user_without_a_sequence_is_refused():
    with pytest.raises(DataError, match=r"`users`\[0\] is 1, outside 0..=0"):
        rank_counts(np.zeros((1, 3)), [1], [[]], users=[1])


def test_a_history_outside_the_catalogue_is_refused():
    with pytest.raises(DataError, match=r"`items`\[1\] is 9"):
        rank_counts(np.zeros((1, 3)), [1], [[2, 9]])


def test_no_rows_give_no_counts():
    found = rank_counts(np.zeros((0, 3)), [], [])
    assert [column.shape for column in found] == [(0,), (0,), (0,)]


def test_same_counts_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (300, 100)).astype(np.float32)
    histories = rng.integers(1, 101, (300, 7)).tolist()
    targets = rng.integers(1, 101, 300)
    assert same_bytes(lambda: rank_counts(scores, targets, histories))
