"""Which column of a log plays which role, and what is refused."""

from __future__ import annotations

import pytest

from seqrec.data.roles import Columns
from seqrec.errors import DataError


def test_optional_columns_are_found_by_their_default_names():
    roles = Columns().resolve(["item_id", "timestamp", "user_id"], "log")
    assert roles == {"user": "user_id", "item": "item_id", "time": "timestamp"}


def test_a_named_column_is_required():
    with pytest.raises(DataError, match=r"log: no column 'ts' for the time; found: 'user_id', 'i"):
        Columns(time="ts").resolve(["user_id", "item_id"], "log")


def test_a_missing_column_is_named_in_python_and_on_the_command_line():
    with pytest.raises(DataError, match=r"name it with item_col \(command line: --item-col\)$"):
        Columns().resolve(["user_id", "Item_id"], "log")
    with pytest.raises(DataError, match=r"name it with rating_col$"):  # it has no flag
        Columns(rating="stars").resolve(["user_id", "item_id"], "log")


@pytest.mark.parametrize(
    "name",
    [
        "Timestamp", "timestamp ", "date", "unix_timestamp", "event_time", "unixReviewTime",
        "created_at", "DATUM", "ts",
    ],
)  # fmt: skip
def test_times_under_another_name_are_not_lost_without_a_word(name):
    found = ["user_id", "item_id", name]
    with pytest.raises(DataError, match=rf"log: column '{name}' seems to hold the times: call it"):
        Columns().resolve(found, "log")
    assert Columns(time=name).resolve(found, "log")["time"] == name
    assert "time" not in Columns(time="").resolve(found, "log")


@pytest.mark.parametrize("name", ["candidate", "update", "times_played", "price", "7", ""])
def test_a_column_of_something_else_is_left_alone(name):
    assert "time" not in Columns().resolve(["user_id", "item_id", name], "log")


def test_a_column_that_has_a_role_is_not_taken_for_the_times():
    roles = Columns(user="date", item="item_id").resolve(["date", "item_id"], "log")
    assert roles == {"user": "date", "item": "item_id"}


def test_an_empty_name_leaves_the_times_out():
    assert "time" not in Columns(time="").resolve(["user_id", "item_id", "timestamp"], "log")


def test_a_missing_id_column_names_wanted_and_found():
    with pytest.raises(DataError, match=r"no column 'item_id' .*found: 'user_id', 'Item_id'"):
        Columns().resolve(["user_id", "Item_id"], "log")


def test_a_column_that_is_there_twice_is_refused():
    with pytest.raises(DataError, match="2 column 'item_id'"):
        Columns().resolve(["user_id", "item_id", "item_id"], "log")


def test_one_column_plays_one_role():
    with pytest.raises(DataError, match="two roles"):
        Columns(item="user_id").resolve(["user_id"], "log")
