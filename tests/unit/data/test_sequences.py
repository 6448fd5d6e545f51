import numpy as np
import pytest

from seqrec.data import Interactions, Vocabulary
from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.tokens import IGNORE, PAD, mask_token


def test_pad_mask_and_ignore_are_never_items():
    assert (PAD, mask_token(5), IGNORE) == (0, 6, -100)


def test_lists_become_bounds_over_one_array():
    sequences = Sequences.from_lists([[3, 1], [], [2]])
    assert sequences.items.tolist() == [3, 1, 2]
    assert sequences.lengths.tolist() == [2, 0, 1]
    assert sequences.user(1).tolist() == []


def test_no_users_are_sequences_too():
    assert Sequences.from_lists([]).n_users == 0


def test_a_user_is_a_view_of_the_items():
    sequences = Sequences.from_lists([[3, 1], [2]])
    assert np.shares_memory(sequences.user(0), sequences.items)


def test_events_leave_out_what_lies_between_the_bounds():
    items = np.array([1, 2, 3, 4, 5], dtype=np.int32)
    part = Sequences(items, np.array([0, 3]), np.array([2, 4]))
    assert part.events().tolist() == [1, 2, 4]
    assert part.n_events == 3


def test_bounds_outside_the_items_name_the_user():
    with pytest.raises(DataError, match=r"user 1 owns 1:3.*0:2"):
        Sequences(np.array([1, 2], dtype=np.int32), np.array([0, 1]), np.array([1, 3]))


def test_another_dtype_is_refused_and_named():
    with pytest.raises(DataError, match="items must be a one-dimensional int32 array"):
        Sequences(np.array([1, 2]), np.array([0]), np.array([2]))


def test_pad_in_a_list_is_refused():
    with pytest.raises(DataError, match="user 0 has item id 0"):
        Sequences.from_lists([[0]])
    for item in (1.9, True, "7"):
        with pytest.raises(DataError, match=r"user 1 has item id .*; ids are integers"):
            Sequences.from_lists([[1], [item]])


@pytest.mark.parametrize("name", ["items", "starts", "stops"])
def test_an_array_with_gaps_is_named(name):
    arrays = {
        "items": np.array([1, 2], np.int32),
        "starts": np.array([0, 1]),
        "stops": np.array([1, 2]),
    }
    arrays[name] = np.repeat(arrays[name], 2)[::2]
    with pytest.raises(DataError, match=rf"sequences: {name} must be .* without gaps"):
        Sequences(**arrays)


def test_places_are_in_the_order_of_the_users_asked_for():
    rows, places = Sequences.from_lists([[5, 6], [], [7]]).places(np.array([2, 1, 0]))
    assert rows.tolist() == [0, 2, 2]
    assert places.tolist() == [2, 0, 1]


def test_codes_of_another_type_are_named_at_the_door_of_a_log():
    ids = Vocabulary.from_integers(np.array([1, 2]))
    codes = np.array([0, 1], np.int32)
    with pytest.raises(DataError, match=r"interactions: items must be .* int32 array, not int64"):
        Interactions(codes, codes.astype(np.int64), None, None, ids, ids, "somewhere")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"items": [0, 2]}, "items have the code 2 of 2 ids"),
        ({"users": [-1, 0]}, "users have the code -1 of 2 ids"),
        ({"items": [0]}, "1 items for 2 users"),
        ({"times": np.array([5])}, "1 times for 2 users"),
        ({"ratings": np.zeros(3, np.float32)}, "3 ratings for 2 users"),
    ],
)
def test_columns_that_do_not_fit_are_named_at_the_door_of_a_log(columns, said):
    ids = Vocabulary.from_integers(np.array([1, 2]))
    given = {"users": [0, 1], "items": [0, 1], "times": None, "ratings": None} | columns
    for name in ("users", "items"):
        given[name] = np.array(given[name], np.int32)
    with pytest.raises(DataError, match=f"interactions: {said}"):
        Interactions(**given, user_ids=ids, item_ids=ids, source="somewhere")
