from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import window as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError
from strategies import POLICIES, batches, ints, policies, store, stores, words


def windows_of(some, windows, rows, seed=0, epoch=0):
    """The windows of rows as lists: what a next-item row reads, and its last target."""
    users, ks = (ints(*column) for column in zip(*rows, strict=True))
    shape = (len(rows), max(windows[1], 1))
    inputs, targets = np.empty(shape, np.int64), np.empty(shape, np.int64)
    _core.fill_next_item(*some.arrays, users, ks, *windows, seed, epoch, inputs, targets)
    return [
        [*row[:n], last[n - 1]] if (n := int((last != -100).sum())) else []
        for row, last in zip(inputs.tolist(), targets, strict=True)
    ]


@given(st.data(), stores(), policies(), words, words)
def test_kernel_equals_its_twin(data, some, windows, seed, epoch):
    rows = data.draw(batches(some, windows))
    found = windows_of(some, windows, rows, seed, epoch)
    for (user, k), window in zip(rows, found, strict=True):
        history = some.histories[user]
        start, stop = reference.cut(history, *windows, (seed, epoch, user, k))
        assert window == (history[start:stop] if stop - start > 1 else [])


def test_window_0_is_the_last_items_for_every_policy():
    some = store([1, 2, 3, 4, 5])
    for policy in POLICIES:
        assert windows_of(some, (policy, 3, 2), [(0, 0)]) == [[3, 4, 5]]


def test_sliding_windows_step_back_to_the_first_item():
    found = windows_of(store([1, 2, 3, 4, 5, 6]), ("sliding", 3, 2), [(0, 0), (0, 1), (0, 2)])
    assert found == [[4, 5, 6], [2, 3, 4], [1, 2]]


def test_prefixes_end_with_every_item_but_the_first():
    found = windows_of(store([1, 2, 3, 4, 5]), ("prefixes", 3, 1), [(0, k) for k in range(4)])
    assert found == [[3, 4, 5], [2, 3, 4], [1, 2, 3], [1, 2]]


def test_random_windows_start_uniformly():
    # 9 items and a width of 4: starts 0..5, 6,000 windows; 20.5 is p = 0.001 for 5 degrees.
    some = store([1, 2, 3, 4, 5, 6, 7, 8, 9])
    found = windows_of(some, ("random", 4, 1), [(0, k) for k in range(1, 6001)], seed=3)
    counts = np.bincount([window[0] - 1 for window in found], minlength=6)
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


def test_random_windows_change_with_the_epoch():
    some = store(list(range(1, 13)))
    rows = [(0, k) for k in range(1, 30)]
    windows = ("random", 4, 1)
    assert windows_of(some, windows, rows) != windows_of(some, windows, rows, epoch=1)


def test_shifted_windows_follow_each_other_and_are_moved_alike_often():
    # 9 items and a stride of 3: the first window but the last ends at the 9th, 8th or 7th item.
    some, shifts = store([1, 2, 3, 4, 5, 6, 7, 8, 9]), []
    for epoch in range(600):
        last, first, second = windows_of(
            some, ("shifted", 4, 3), [(0, 0), (0, 1), (0, 2)], epoch=epoch
        )
        shifts.append(9 - first[-1])
        assert last == [6, 7, 8, 9]
        assert second[-1] == first[0] == first[-1] - 3
    counts = np.bincount(shifts, minlength=3)
    assert len(counts) == 3
    assert ((counts - 200) ** 2 / 200).sum() < 13.8  # p = 0.001 for 2 degrees


@pytest.mark.parametrize(("policy", "high"), [("last", 0), ("sliding", 2), ("prefixes", 4)])
def test_a_window_that_does_not_exist_is_refused(policy, high):
    some = store([1, 2, 3, 4, 5, 6])
    with pytest.raises(DataError, match=rf"`ks`\[1\] is {high + 1}, outside 0..={high}"):
        windows_of(some, (policy, 3, 2), [(0, 0), (0, high + 1)])


@pytest.mark.parametrize(
    ("windows", "option"),
    [
        (("lats", 3, 1), "`policy` is lats: it must be last, sliding, random, shifted or prefixes"),
        (("last", 0, 1), "`width` is 0"),
        (("sliding", 3, 0), "`stride` is 0"),
        (("sliding", 3, 4), "`stride` is 4"),
        (("shifted", 3, 4), "`stride` is 4"),
    ],
)
def test_an_impossible_window_names_its_option(windows, option):
    with pytest.raises(ConfigError, match=option):
        windows_of(store([1, 2]), windows, [(0, 0)])
