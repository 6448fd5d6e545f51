import numpy as np
import pytest

from seqrec.data import arrays
from seqrec.data.arrays import Joined, compress, count_codes, look_up


@pytest.fixture(autouse=True)
def three_at_a_time(monkeypatch):
    monkeypatch.setattr(arrays, "_PIECE", 3)


def test_codes_of_all_pieces_are_counted():
    assert count_codes(np.array([0, 2, 2, 0, 0], np.int32), 4).tolist() == [3, 0, 2, 0]
    assert count_codes(np.array([], np.int32), 2).tolist() == [0, 0]


def test_codes_of_all_pieces_are_looked_up():
    codes = np.array([1, 0, 1, 1], np.int32)
    assert look_up(np.array([7, 8], np.int32), codes) is codes
    assert codes.tolist() == [8, 7, 8, 8]


@pytest.mark.parametrize("gone", [[], [0], [4], [1, 5], [0, 1, 2, 3, 4, 5, 6]])
def test_what_is_kept_stays_in_order(gone):
    keep = ~np.isin(np.arange(8), gone)
    assert compress(np.arange(8), keep).tolist() == np.flatnonzero(keep).tolist()


def test_most_of_an_array_stays_where_it_is():
    array = np.arange(8)
    assert np.shares_memory(compress(array, array != 3), array)
    array = np.arange(8)
    assert not np.shares_memory(compress(array, array == 3), array)


def test_pieces_follow_one_another():
    joined = Joined(4)
    joined.add(np.array([1, 2, 3], np.int32))
    joined.add(np.array([4], np.int32))
    assert (joined.array.tolist(), joined.array.dtype) == ([1, 2, 3, 4], np.int32)


def test_a_piece_that_is_the_whole_is_not_copied():
    joined, whole = Joined(2), np.array([1, 2])
    joined.add(whole)
    assert joined.array is whole
