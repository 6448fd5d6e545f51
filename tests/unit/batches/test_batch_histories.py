"""Histories for inference."""

from __future__ import annotations

import numpy as np
import pytest

from seqrec.batches import histories
from seqrec.data.sequences import Sequences
from seqrec.errors import ConfigError, DataError

SEQUENCES = Sequences.from_lists([[1, 2, 3, 4], [5], []])


def users(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int32)


def test_left_padding_keeps_the_most_recent_items_last():
    found = histories(SEQUENCES, users(0, 1), 3, "left")
    assert found.tolist() == [[2, 3, 4], [0, 0, 5]]


def test_right_padding_keeps_the_real_items_first():
    found = histories(SEQUENCES, users(1, 0), 3, "right")
    assert found.tolist() == [[5, 0, 0], [2, 3, 4]]


def test_width_is_that_of_the_longest_history():
    assert histories(SEQUENCES, users(1), 100, "left").tolist() == [[5]]


def test_an_empty_history_is_one_pad():
    assert histories(SEQUENCES, users(2), 100, "left").tolist() == [[0]]


def test_no_user_gives_no_row():
    assert histories(SEQUENCES, users(), 100, "left").shape == (0, 1)


def test_an_unknown_user_is_named():
    with pytest.raises(DataError, match="user 3 is outside"):
        histories(SEQUENCES, users(0, 3), 10, "left")


@pytest.mark.parametrize(("max_len", "pad"), [(0, "left"), (3, "centre")])
def test_impossible_shapes_are_refused(max_len, pad):
    with pytest.raises(ConfigError):
        histories(SEQUENCES, users(0), max_len, pad)


def test_users_of_another_type_are_named():
    sequences = Sequences.from_lists([[1], [2]])
    with pytest.raises(DataError, match=r"histories: users must be .* int32 array, not float64"):
        histories(sequences, np.array([0.0, 1.0]), 2, "left")
