from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import histories as reference
from seqrec import _core
from seqrec.errors import DataError
from strategies import ints, store, stores


def histories(some, users, *, width, pad_left):
    tokens = np.full((len(users), width), 77, np.int64)
    _core.fill_histories(*some.arrays, ints(*users), pad_left, tokens)
    return tokens


@given(st.data(), stores(), st.integers(1, 40), st.booleans())
def test_kernel_equals_its_twin(data, some, width, pad_left):
    users = data.draw(st.lists(st.integers(0, len(some.histories) - 1), max_size=8))
    found = histories(some, users, width=width, pad_left=pad_left)
    assert found.tolist() == [reference.row(some.histories[u], width, pad_left) for u in users]


def test_worked_example():
    some = store([1, 2, 3], [4], [])
    assert histories(some, [0, 1, 2], width=2, pad_left=True).tolist() == [[2, 3], [0, 4], [0, 0]]
    assert histories(some, [1], width=2, pad_left=False).tolist() == [[4, 0]]


def test_same_bytes_for_any_number_of_threads(same_bytes):
    some = store(*([1 + i % 9] * (i % 7) for i in range(300)))
    assert same_bytes(lambda: [histories(some, range(300), width=4, pad_left=True)])


@pytest.mark.parametrize("user", [-1, 1])
def test_a_user_without_a_sequence_is_refused(user):
    with pytest.raises(DataError, match=rf"`users`\[0\] is {user}, outside 0..=0"):
        histories(store([1, 2]), [user], width=2, pad_left=True)


def test_a_bad_range_names_the_user():
    items, starts, stops = store([1], [2, 3]).arrays
    with pytest.raises(DataError, match=r"user 1: 1..4 is not a range of the 3 stored items"):
        _core.fill_histories(
            items, starts, stops + ints(0, 1), ints(1), True, np.empty((1, 2), np.int64)
        )
