"""Columns of data frames that have no type, or no name, of Arrow's."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqrec.data.interactions import Interactions
from seqrec.errors import DataError

DAY = pd.Timestamp(2020, 1, 1)


def times_of(values):
    frame = pd.DataFrame({"user_id": 1, "item_id": 2, "timestamp": pd.Series(values, dtype=object)})
    return Interactions.from_frame(frame).times


def test_times_that_pandas_keeps_as_objects_have_their_nanoseconds():
    fine = [DAY + pd.Timedelta(nanoseconds, "ns") for nanoseconds in (300, 200, 100)]
    assert times_of(fine).tolist() == [time.value for time in fine]


def test_times_of_two_zones_have_their_nanoseconds():
    ahead = pd.Timestamp("2020-01-01 09:00:00.000000200+09:00")
    behind = pd.Timestamp("2020-01-01 00:00:00.000000300+00:00")
    assert times_of([behind, ahead]).tolist() == [behind.value, ahead.value]


def test_nanoseconds_beside_a_time_beyond_them_are_refused():
    with pytest.raises(DataError, match=r"row 1 .*'timestamp' has nanoseconds, and times that"):
        times_of([DAY, DAY + pd.Timedelta(1, "ns"), datetime(3000, 1, 1)])


def test_columns_whose_names_are_numbers_are_named_by_their_text():
    frame = pd.DataFrame(np.array([[7, 5, 3], [7, 6, 2]]))
    log = Interactions.from_frame(frame, user_col="0", item_col="1", time_col="2")
    assert log.item_ids.decode(log.items).tolist() == [5, 6]
    assert log.times.tolist() == [3, 2]


def test_a_number_and_its_text_are_one_name():
    frame = pd.DataFrame([[7, 5, 3]], columns=["0", "item_id", 0])
    with pytest.raises(DataError, match="'0'"):
        Interactions.from_frame(frame, user_col="0")


def test_integers_that_arrow_has_no_place_for_are_named_as_such():
    frame = pl.DataFrame({"user_id": [1, 4], "item_id": [5, 5]})
    wide = frame.with_columns(pl.col("user_id").cast(pl.Int128))
    with pytest.raises(DataError, match="column 'user_id' is of a type without a place in Arrow"):
        Interactions.from_frame(wide)


def test_seconds_beside_milliseconds_are_warned_of(caplog):
    columns = {"user_id": [1] * 4, "item_id": [3, 2, 1, 3]}
    seconds = [1_600_000_000 + i for i in range(4)]
    Interactions.from_frame(pd.DataFrame({**columns, "timestamp": seconds})).prepare()
    assert not caplog.records
    mixed = [seconds[0], 1000 * seconds[1], seconds[2], 1000 * seconds[3]]
    Interactions.from_frame(pd.DataFrame({**columns, "timestamp": mixed})).prepare()
    assert "timestamps from 1600000000 to 1600000003000" in caplog.text
