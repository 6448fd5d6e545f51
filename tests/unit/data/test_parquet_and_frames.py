import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqrec.data import tables
from seqrec.data.interactions import Interactions
from seqrec.errors import DataError
from unit.data.read_back import rows

TABLE = pa.table({"user_id": ["b", "a", "b"], "item_id": [10, 9, 9], "timestamp": [3, 2, 1]})


NS, US = pa.timestamp("ns"), pa.timestamp("us")


def write(path: Path, users: list, items: list, **types) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"user_id": pa.array(users, type=types.get("user")), "item_id": pa.array(items)}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "frame",
    [
        TABLE,
        TABLE.to_pandas(),
        TABLE.to_pandas().set_index(np.array([7, 7, 7])),
        TABLE.to_pandas().astype({"user_id": "category", "item_id": "Int64"}),
        pl.DataFrame({"user_id": ["b", "a", "b"], "item_id": [10, 9, 9], "timestamp": [3, 2, 1]}),
        pl.DataFrame(TABLE.to_pydict()).lazy(),
        pl.DataFrame(TABLE.to_pydict()).cast({"user_id": pl.Categorical, "item_id": pl.UInt32}),
    ],
    ids=["arrow", "pandas", "index", "masked", "polars", "lazy", "categorical"],
)
def test_every_frame_gives_the_same_log(frame):
    log = Interactions.from_frame(frame)
    assert rows(log) == [("b", 10), ("a", 9), ("b", 9)]
    assert log.times.tolist() == [3, 2, 1]


def test_a_frame_is_not_changed():
    frame = TABLE.to_pandas()
    before = frame.copy()
    Interactions.from_frame(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_ratings_are_kept_where_their_column_is_named():
    frame = TABLE.append_column("rating", pa.array([5, 4, None]))
    log = Interactions.from_frame(frame, rating_col="rating")
    np.testing.assert_array_equal(log.ratings, np.array([5, 4, np.nan], dtype=np.float32))


def test_a_column_of_ratings_that_nobody_named_is_not_read():
    frame = TABLE.append_column("rating", pa.array(["good", "bad", None]))
    assert Interactions.from_frame(frame).ratings is None


def test_integers_that_pandas_made_floats_name_the_null():
    frame = pd.DataFrame({"user_id": [1, 2, None], "item_id": [1, 2, 3]})
    with pytest.raises(DataError, match=r"data frame, row 2 .*: column 'user_id' is null"):
        Interactions.from_frame(frame)


@pytest.mark.parametrize("column", [pd.arrays.SparseArray([1, 2, 3]), np.array([1j, 2j, 3j])])
def test_a_column_that_arrow_does_not_know_is_named(column):
    frame = pd.DataFrame({"user_id": column, "item_id": [1, 2, 3]})
    with pytest.raises(DataError, match="column 'user_id' is of a type without a place in Arrow"):
        Interactions.from_frame(frame)


def test_half_a_character_is_named_with_its_row():
    halves = pd.Series(["a", "\ud800"], dtype=object)
    with pytest.raises(DataError, match=r"row 1 .*: column 'item_id' is no valid Unicode"):
        Interactions.from_frame(pd.DataFrame({"user_id": [1, 2], "item_id": halves}))


@pytest.mark.parametrize(
    ("users", "row"),
    [
        ([1, 2, "x"], 2),
        ([1, np.int64(2), "x", 4], 2),
        (["a", None, "b", 3], 3),
        ([5, 6, 2**70, 8], 2),
    ],
)
def test_a_column_of_mixed_types_names_the_first_other_row(users, row):
    frame = pd.DataFrame({"user_id": pd.Series(users, dtype=object), "item_id": range(len(users))})
    said = rf"row {row} .*: column 'user_id' has {users[row]!r}, and mixes types"
    with pytest.raises(DataError, match=said):
        Interactions.from_frame(frame)


def test_what_is_no_frame_is_named():
    with pytest.raises(DataError, match="cannot read a list"):
        Interactions.from_frame([(1, 2)])


def test_a_frame_with_a_column_twice_is_refused_on_one_line():
    frame = pd.DataFrame([[1, 2, 3]], columns=["user_id", "item_id", "item_id"])
    with pytest.raises(DataError, match=r"^data frame: a column occurs twice: .*'item_id'.*$"):
        Interactions.from_frame(frame)


def test_a_frame_without_rows_is_refused():
    with pytest.raises(DataError, match="data frame: no rows"):
        Interactions.from_frame(TABLE.slice(0, 0))


def test_datetimes_of_a_frame_become_integers():
    frame = TABLE.to_pandas()
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="s").astype("datetime64[s]")
    assert Interactions.from_frame(frame).times.tolist() == [3, 2, 1]


def test_a_parquet_file_is_read(tmp_path):
    path = write(tmp_path / "log.parquet", [1, 2], ["x", "y"])
    assert rows(Interactions.from_parquet(path)) == [(1, "x"), (2, "y")]


def test_shards_are_read_in_the_order_of_their_names(tmp_path):
    write(tmp_path / "out" / "part-00001.snappy.parquet", [3], ["c"])
    write(tmp_path / "out" / "part-00000.snappy.parquet", [1, 2], ["a", "b"])
    write(tmp_path / "out" / "year=2020" / "data_0.parquet", [4], ["d"])
    (tmp_path / "out" / "_SUCCESS").touch()
    (tmp_path / "out" / "._part.parquet").write_bytes(b"junk")
    write(tmp_path / "out" / "_temporary" / "part.parquet", [9], ["z"])
    log = Interactions.from_parquet(tmp_path / "out")
    assert rows(log) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.parametrize("pattern", ["", "part-*.parquet"])
def test_numbers_in_the_names_of_shards_count_by_value(tmp_path, pattern):
    for number in (1, 2, 10, 11):
        write(tmp_path / "out" / f"part-{number}.parquet", [number], ["a"])
    log = Interactions.from_parquet(str(tmp_path / "out" / pattern))
    assert rows(log) == [(1, "a"), (2, "a"), (10, "a"), (11, "a")]


def test_names_of_one_number_and_other_digits_have_an_order(tmp_path):
    for item, name in enumerate(["a", "٣", "1", "01"]):
        write(tmp_path / "out" / f"{name}.parquet", [item], ["a"])
    assert rows(Interactions.from_parquet(tmp_path / "out")) == [
        (3, "a"), (2, "a"), (1, "a"), (0, "a"),
    ]  # fmt: skip


def test_a_frame_with_a_column_twice_is_refused_by_name():
    frame = pd.DataFrame([[1, 2, 3]], columns=["user_id", "item_id", "item_id"])
    with pytest.raises(DataError, match=r"(?s)data frame: .*item_id"):
        Interactions.from_frame(frame)


def test_a_glob_is_read_in_the_order_of_the_names(tmp_path):
    write(tmp_path / "b.parquet", [2], ["b"])
    write(tmp_path / "a.parquet", [1], ["a"])
    log = Interactions.from_parquet(str(tmp_path / "*.parquet"))
    assert rows(log) == [(1, "a"), (2, "b")]


def test_shards_may_differ_in_width_and_dictionaries(tmp_path):
    write(tmp_path / "a.parquet", ["x"], [1], user=pa.dictionary(pa.int8(), pa.string()))
    write(tmp_path / "b.parquet", ["y"], [2**40], user=pa.large_string())
    assert rows(Interactions.from_parquet(tmp_path)) == [("x", 1), ("y", 2**40)]


def write_shards(folder: Path, *shards: dict[str, list | pa.Array]) -> Path:
    """Files 0.parquet, 1.parquet and so on; ids count from 1 where none are given."""
    for name, shard in enumerate(shards):
        count = list(range(1, len(next(iter(shard.values()))) + 1))
        ids = {"user_id": count, "item_id": count}
        pq.write_table(pa.table({**ids, **shard}), folder / f"{name}.parquet")
    return folder


def test_integers_keep_their_digits_beside_a_shard_of_floats(tmp_path):
    times = [1_700_000_000_000_000_001, 1_700_000_000_000_000_003]
    floats = pa.array([3.0, 4.0])
    write_shards(tmp_path, {"timestamp": times}, {"timestamp": floats}, {"timestamp": times})
    assert Interactions.from_parquet(tmp_path).times.tolist() == [*times, 3, 4, *times]


@pytest.mark.parametrize(
    ("column", "first", "second", "message"),
    [
        ("timestamp", pa.array([2**60, 1]), pa.array([1.0, None]), "row 1 .* is null"),
        ("user_id", pa.array([2**60, 1]), pa.array([1.0, 2.0]), "row 0 .* holds floats"),
        ("item_id", pa.array([1, -2]), pa.array([1, 2**63], pa.uint64()), "row 1 .* beyond"),
        (
            "timestamp",
            pa.array([1], NS),
            pa.array([2**60], US),
            r"from timestamp\[us\] to .*\[ns\]",
        ),
    ],
    ids=["null", "floats", "unsigned", "date"],
)
def test_a_shard_that_does_not_go_with_the_others_is_named(
    tmp_path, column, first, second, message
):
    write_shards(tmp_path, {column: first}, {column: second})
    with pytest.raises(DataError, match=rf"1\.parquet.*{message}") as caught:
        Interactions.from_parquet(tmp_path)
    assert f"column {column!r}" in str(caught.value)


def test_text_times_are_read_in_one_way_where_ids_differ_in_width(tmp_path):
    narrow = {"user_id": pa.array([1, 2], pa.int32()), "timestamp": ["1", "2"]}
    write_shards(tmp_path, narrow, {"timestamp": ["3.0", "4"]})
    assert Interactions.from_parquet(tmp_path).times.tolist() == [1, 2, 3, 4]


def test_times_with_and_without_a_zone_are_not_mixed():
    naive = [datetime(2020, 1, 1, hour) for hour in range(3)]
    zoned = [hour.replace(tzinfo=UTC) for hour in naive]

    def read(*times):
        frame = pd.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3]})
        return Interactions.from_frame(frame.assign(timestamp=pd.Series(times, dtype=object)))

    with pytest.raises(DataError, match=r"row 2 .*'timestamp' mixes times that have a zone"):
        read(*naive[:2], zoned[2])
    with pytest.raises(DataError, match=r"row 1 .*'timestamp' mixes times that have a zone"):
        read(zoned[0], *naive[1:])
    with pytest.raises(DataError, match=r"row 0 .*'timestamp' is null"):
        read(pd.NaT, *zoned[1:])
    assert read(*naive).times.tolist() == read(*zoned).times.tolist()


def test_shards_that_mix_strings_and_integers_are_refused(tmp_path):
    write(tmp_path / "a.parquet", ["x"], [1])
    write(tmp_path / "b.parquet", [5], [2])
    with pytest.raises(DataError, match="differ in the types of a column"):
        Interactions.from_parquet(tmp_path)


def test_a_shard_without_a_column_is_named(tmp_path):
    write(tmp_path / "a.parquet", [1], [1])
    pq.write_table(pa.table({"user_id": [1], "movie": [2]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: no column 'item_id'"):
        Interactions.from_parquet(tmp_path)


def test_a_shard_that_alone_has_times_is_refused(tmp_path):
    write(tmp_path / "a.parquet", [1], [1])
    pq.write_table(TABLE, tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet has columns"):
        Interactions.from_parquet(tmp_path)


def test_a_null_names_its_file_and_the_row_in_it(tmp_path):
    write(tmp_path / "a.parquet", [1, 2], [1, 1])
    write(tmp_path / "b.parquet", [1, None], [1, 1])
    with pytest.raises(DataError, match=r"b\.parquet, row 1 .*column 'user_id' is null"):
        Interactions.from_parquet(tmp_path)


@pytest.fixture
def two_rows_a_piece(monkeypatch):
    """Parquet files are read two rows at a time."""
    monkeypatch.setattr(tables, "_PIECE", 2)


@pytest.mark.usefixtures("two_rows_a_piece")
@pytest.mark.parametrize("users", [[5, 3, 5, 9, 3], ["b", "a", "b", "ä", "a"]])
def test_pieces_of_a_file_are_one_log(tmp_path, users):
    times, ratings = [5, 1, 4, 2, 3], [1.0, 2.0, None, 4.0, 5.0]
    table = {"user_id": users, "item_id": [1, 2, 3, 2, 1], "timestamp": times, "rating": ratings}
    pq.write_table(pa.table(table), tmp_path / "log.parquet", row_group_size=3)
    log = Interactions.from_parquet(tmp_path / "log.parquet", rating_col="rating")
    assert rows(log) == list(zip(users, [1, 2, 3, 2, 1], strict=True))
    assert log.user_ids.ids.to_pylist() == sorted(set(users))
    assert log.times.tolist() == times
    np.testing.assert_array_equal(log.ratings, np.array(ratings, dtype=np.float32))


@pytest.mark.usefixtures("two_rows_a_piece")
def test_an_unusable_row_of_a_later_piece_is_named(tmp_path):
    path = write(tmp_path / "log.parquet", [1, 2, 3, None], [1, 1, 1, 1])
    with pytest.raises(DataError, match=r"log\.parquet, row 3 .*column 'user_id' is null"):
        Interactions.from_parquet(path)


@pytest.mark.usefixtures("two_rows_a_piece")
def test_text_times_are_read_in_the_one_way_that_fits_all_pieces(tmp_path):
    table = {"user_id": [1, 1, 1], "item_id": [1, 2, 3], "timestamp": ["1", "2", "3.0"]}
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    assert Interactions.from_parquet(tmp_path / "log.parquet").times.tolist() == [1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"nothing of the kind" * 100])
def test_what_is_no_parquet_is_named(tmp_path, content):
    (tmp_path / "log.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*log\.parquet as Parquet"):
        Interactions.from_parquet(tmp_path / "log.parquet")


def test_a_truncated_parquet_file_is_refused(tmp_path):
    path = write(tmp_path / "log.parquet", list(range(1000)), list(range(1000)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"log\.parquet"):
        Interactions.from_parquet(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.parquet"):
        Interactions.from_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no file matches"):
        Interactions.from_parquet(str(tmp_path / "*.parquet"))
    with pytest.raises(DataError, match="holds no Parquet file"):
        Interactions.from_parquet(tmp_path)


def test_the_name_of_a_file_tells_its_format(tmp_path):
    write(tmp_path / "log.parquet", [1], [2])
    (tmp_path / "log.tsv").write_text("user_id\titem_id\n1\t2\n")
    (tmp_path / "u.data").write_text("1\t2\t5\t7\n")
    for name in ("log.parquet", "log.tsv", "u.data"):
        assert rows(Interactions.from_file(tmp_path / name)) == [(1, 2)]


def test_a_folder_of_shards_is_a_file_too(tmp_path):
    write(tmp_path / "out" / "part.parquet", [1], [2])
    assert rows(Interactions.from_file(tmp_path / "out")) == [(1, 2)]


def test_a_name_that_tells_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"log\.xlsx tells no format: \.csv"):
        Interactions.from_file(tmp_path / "log.xlsx")


def test_shards_behind_links_are_read_and_links_to_nothing_are_named(tmp_path):
    place, other = tmp_path / "log", tmp_path / "other"
    for folder, name in ((place, "part-0.parquet"), (other, "part-1.parquet")):
        folder.mkdir()
        pq.write_table(TABLE, folder / name)
    (place / "day2").symlink_to(other)
    assert len(Interactions.from_parquet(place)) == 2 * len(TABLE)
    (place / "part-2.parquet").symlink_to("nothing")
    for path in (place, f"{place}/*.parquet"):
        with pytest.raises(DataError, match=r"part-2\.parquet"):
            Interactions.from_parquet(path)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    pq.write_table(TABLE, tmp_path / "part-0.parquet")
    (tmp_path / "shut").mkdir()

    def scandir(path, scan=os.scandir):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"cannot read .*shut: Permission denied"):
        Interactions.from_parquet(tmp_path)


def test_shards_are_known_by_any_case_of_their_suffix_or_by_their_first_bytes(tmp_path):
    write(tmp_path / "a.parquet", ["x"], [1])
    write(tmp_path / "B.PARQUET", ["y"], [2])
    write(tmp_path / "part-0003", ["z"], [3])
    (tmp_path / "README").write_text("no shard")
    assert sorted(rows(Interactions.from_parquet(tmp_path))) == [("x", 1), ("y", 2), ("z", 3)]


@pytest.mark.parametrize("kind", [pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.date32()])
def test_times_known_by_their_type_are_not_lost_without_a_word(tmp_path, kind):
    when = pa.array([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)], kind)
    table = pa.table({"user_id": [1, 1], "item_id": [7, 8], "when": when})
    pq.write_table(table, tmp_path / "log.parquet")
    frames = (table, pl.from_arrow(table), table.to_pandas(date_as_object=False))
    logs = [(Interactions.from_frame, frame) for frame in frames]
    for read, log in [(Interactions.from_parquet, tmp_path / "log.parquet"), *logs]:
        with pytest.raises(DataError, match="column 'when' seems to hold the times"):
            read(log)
        assert read(log, time_col="").times is None
        second, first = read(log, time_col="when").times.tolist()
        assert first < second
