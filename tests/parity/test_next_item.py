from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import next_item as reference
from reference import window
from seqrec import _core
from seqrec.errors import DataError
from strategies import batches, ints, policies, store, stores, words


def next_item(some, windows, rows, *, width, seed=0, epoch=0):
    """(inputs, targets) of rows (user, k) in buffers of a width."""
    users, ks = ints(*(user for user, _ in rows)), ints(*(k for _, k in rows))
    inputs, targets = (np.full((len(rows), width), 77, np.int64) for _ in range(2))
    n_targets = _core.fill_next_item(
        *some.arrays, users, ks, *windows, seed, epoch, inputs, targets
    )
    assert n_targets == (targets != -100).sum()
    return inputs, targets


@given(st.data(), stores(), policies(), words, words)
def test_kernel_equals_its_twin(data, some, windows, seed, epoch):
    rows = data.draw(batches(some, windows))
    width = data.draw(st.integers(max(windows[1] - 1, 1), 10))
    found = next_item(some, windows, rows, width=width, seed=seed, epoch=epoch)
    for i, (user, k) in enumerate(rows):
        history = some.histories[user]
        start, stop = window.cut(history, *windows, (seed, epoch, user, k))
        wanted = reference.row(history[start:stop], width)
        assert (found[0][i].tolist(), found[1][i].tolist()) == wanted


def test_worked_example():
    inputs, targets = next_item(store([7, 8, 9], [5]), ("last", 4, 1), [(0, 0), (1, 0)], width=3)
    assert inputs.tolist() == [[7, 8, 0], [0, 0, 0]]
    assert targets.tolist() == [[8, 9, -100], [-100, -100, -100]]


def test_empty_and_one_item_histories_give_padding_alone():
    inputs, targets = next_item(store([], [5]), ("random", 4, 1), [(0, 0), (1, 0)], width=2)
    assert (inputs == 0).all()
    assert (targets == -100).all()


def test_held_out_items_are_never_read():
    items, starts, stops = store([1, 2, 3, 4]).arrays
    inputs, targets = np.empty((2, 1, 3), np.int64)
    _core.fill_next_item(
        items, starts, stops - 2, ints(0), ints(0), "last", 4, 1, 0, 0, inputs, targets
    )
    assert (inputs.tolist(), targets.tolist()) == ([[1, 0, 0]], [[2, -100, -100]])


@given(stores(min_length=2), words)
def test_content_depends_on_neither_width_nor_batch(some, seed):
    windows = ("random", 4, 1)
    rows = [(user, k) for user in range(len(some.histories)) for k in range(3)]
    inputs, targets = next_item(some, windows, rows, width=3, seed=seed)
    for i in reversed(range(len(rows))):
        alone, following = next_item(some, windows, [rows[i]], width=9, seed=seed)
        assert alone[0, :3].tolist() == inputs[i].tolist()
        assert following[0, :3].tolist() == targets[i].tolist()


def test_same_bytes_for_any_number_of_threads(same_bytes):
    some = store(*([1 + i % 9] * (i % 7) for i in range(300)))
    rows = [(user, k) for user in range(300) for k in range(2)]
    assert same_bytes(lambda: next_item(some, ("random", 4, 1), rows, width=3, seed=5))


def test_a_window_that_does_not_fit_names_the_row_and_both_widths():
    with pytest.raises(DataError, match="row 1 needs a width of 2, but `inputs` is 1 wide"):
        next_item(store([1, 2], [1, 2, 3]), ("last", 4, 1), [(0, 0), (1, 0)], width=1)


def test_a_user_without_a_sequence_is_refused():
    with pytest.raises(DataError, match=r"`users`\[1\] is 2, outside 0..=1"):
        next_item(store([1, 2], [1, 2]), ("last", 4, 1), [(0, 0), (2, 0)], width=3)


def test_a_negative_k_is_refused():
    with pytest.raises(DataError, match=r"`ks`\[0\] is -1"):
        next_item(store([1, 2]), ("last", 4, 1), [(0, -1)], width=3)


def filled(inputs, targets, ks=(0, 0)):
    some = store([1, 2], [1, 2])
    _core.fill_next_item(*some.arrays, ints(0, 1), ints(*ks), "last", 4, 1, 0, 0, inputs, targets)


def test_outputs_must_have_a_row_for_each_user():
    with pytest.raises(DataError, match="`inputs` has length 3, but 2 is needed"):
        filled(np.empty((3, 4), np.int64), np.empty((2, 4), np.int64))


def test_outputs_must_have_one_width():
    with pytest.raises(DataError, match="`targets` has length 5, but 4 is needed"):
        filled(np.empty((2, 4), np.int64), np.empty((2, 5), np.int64))


def test_a_buffer_of_width_0_is_refused():
    with pytest.raises(DataError, match="row 0 needs a width of 1, but `inputs` is 0 wide"):
        filled(np.empty((2, 0), np.int64), np.empty((2, 0), np.int64))


@pytest.mark.parametrize("bad", [np.empty((4, 2), np.int64).T, np.empty((2, 8), np.int64)[:, ::2]])
def test_a_buffer_that_is_not_c_contiguous_is_named(bad):
    with pytest.raises(DataError, match="`targets` must be C-contiguous"):
        filled(np.empty((2, 4), np.int64), bad)


def test_users_and_ks_must_match():
    with pytest.raises(DataError, match="`ks` has length 1, but 2 is needed"):
        filled(np.empty((2, 4), np.int64), np.empty((2, 4), np.int64), ks=(0,))


def test_no_rows_fill_nothing():
    inputs, targets = next_item(store([1]), ("last", 4, 1), [], width=3)
    assert (inputs.shape, targets.shape) == ((0, 3), (0, 3))
