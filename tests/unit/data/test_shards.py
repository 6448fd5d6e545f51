import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqrec.data.interactions import Interactions
from seqrec.errors import DataError
from unit.data.read_back import rows


def write_lines(path, *objects: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(each)}\n" for each in objects).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def action(user, item, time) -> dict:
    return {"user_id": user, "item_id": item, "timestamp": time}


@pytest.mark.parametrize("pattern", ["", "*.csv*", "**/*.csv*"])
def test_text_shards_are_one_log_in_the_order_of_their_names(tmp_path, pattern):
    (tmp_path / "part-10.csv").write_text("user_id,item_id\nz,3\n")
    (tmp_path / "part-9.csv.gz").write_bytes(gzip.compress(b"item_id;user_id\n2;007\n"))
    (tmp_path / "part-1.CSV.gz").write_bytes(gzip.compress(b"user_id\titem_id\n5\t1\n"))
    (tmp_path / "_part-0.csv").write_text("user_id,item_id\nhidden,9\n")
    log = Interactions.from_file(f"{tmp_path}/{pattern}" if pattern else tmp_path)
    wanted = [("5", 1), ("007", 2), ("z", 3)]  # one user is no integer, so all are strings
    assert rows(log) == (wanted if not pattern else wanted[1:])  # globs know upper case


def test_shards_of_json_lines_are_one_log(tmp_path):
    write_lines(tmp_path / "day=2" / "0.jsonl.gz", action(3, "c", 7.0))
    write_lines(tmp_path / "day=1" / "0.jsonl", action(1, "a", 5), action(2, "b", 6))
    log = Interactions.from_file(tmp_path)
    assert rows(log) == [(1, "a"), (2, "b"), (3, "c")]
    assert log.times.tolist() == [5, 6, 7]
    one = tmp_path / "one.ndjson"
    write_lines(one, action(1, "a", 5), action(2, "b", 6), action(3, "c", 7))
    assert log.prepare().fingerprint == Interactions.from_file(one).prepare().fingerprint


def test_a_wrong_row_is_named_in_its_own_file(tmp_path):
    write_lines(tmp_path / "0.jsonl", action(1, "a", 5), action(1, "b", 6))
    write_lines(tmp_path / "1.jsonl", action(1, "a", 5), action(1, None, 6))
    with pytest.raises(DataError, match=r"1\.jsonl, line 2: column 'item_id' is null"):
        Interactions.from_json_lines(tmp_path)
    (tmp_path / "0.csv").write_text("user_id,item_id,timestamp\n1,2,3\n1,2,4\n")
    (tmp_path / "1.csv").write_text("user_id,item_id,timestamp\n1,2,3\n\n1,2,x\n")
    with pytest.raises(DataError, match=r"1\.csv, line 4: column 'timestamp' has 'x'"):
        Interactions.from_csv(tmp_path)


def test_shards_whose_columns_differ_are_named(tmp_path):
    write_lines(tmp_path / "0.jsonl", action(1, "a", 5))
    write_lines(tmp_path / "1.jsonl", action("1", "a", 5))
    said = r"1\.jsonl, line 1: column 'user_id' holds string, but int64 in .*0\.jsonl"
    with pytest.raises(DataError, match=said):
        Interactions.from_file(tmp_path)
    write_lines(tmp_path / "1.jsonl", {"user_id": 1, "item_id": "a"})
    with pytest.raises(DataError, match=r"1\.jsonl has columns .* but .*0\.jsonl has"):
        Interactions.from_file(tmp_path)
    write_lines(tmp_path / "0.jsonl", action(1, "a", 2**53 + 1))
    write_lines(tmp_path / "1.jsonl", action(1, "a", 5.0))
    said = r"1\.jsonl, line 1: column 'timestamp' holds double, but int64 in .*0\.jsonl"
    with pytest.raises(DataError, match=said):
        Interactions.from_file(tmp_path)
    write_lines(tmp_path / "0.jsonl", action(1, 2, 3))
    write_lines(tmp_path / "1.jsonl", action(1, 2.5, 3))
    with pytest.raises(DataError, match=r"1\.jsonl, line 1: column 'item_id' holds double"):
        Interactions.from_file(tmp_path)


def test_a_folder_holds_files_of_one_format_or_parquet(tmp_path):
    with pytest.raises(DataError, match=r"holds no file whose name tells a format: \.csv"):
        Interactions.from_file(tmp_path)
    write_lines(tmp_path / "log.jsonl", action(1, "a", 5))
    (tmp_path / "log.csv").write_text("user_id,item_id\n2,3\n")
    (tmp_path / "README").write_text("of no format")
    with pytest.raises(DataError, match="holds JSON lines and text: name the files of the log by"):
        Interactions.from_file(tmp_path)
    assert rows(Interactions.from_file(tmp_path / "*.csv")) == [(2, 3)]
    assert rows(Interactions.from_csv(tmp_path)) == [(2, 3)]
    assert rows(Interactions.from_json_lines(tmp_path)) == [(1, "a")]
    pq.write_table(pa.table({"user_id": [4], "item_id": [5]}), tmp_path / "part.parquet")
    assert rows(Interactions.from_file(tmp_path)) == [(4, 5)]
    with pytest.raises(DataError, match="holds Parquet and text: name the files of the log by"):
        Interactions.from_file(tmp_path / "[lp]*[ct]*[sve]*")


def test_shards_without_a_row_are_left_out(tmp_path):
    write_lines(tmp_path / "0.jsonl", action(1, "a", 5))
    write_lines(tmp_path / "1.jsonl.gz")
    write_lines(tmp_path / "2.jsonl", action(2, "b", 6))
    assert rows(Interactions.from_file(tmp_path)) == [(1, "a"), (2, "b")]
    for name in ("0.csv", "1.csv"):
        (tmp_path / name).write_text(" \n")
    with pytest.raises(DataError, match=r"0\.csv: no rows"):
        Interactions.from_csv(tmp_path)
    (tmp_path / "1.csv").write_text("user_id,item_id\n1,2\n")
    assert rows(Interactions.from_csv(tmp_path)) == [(1, 2)]


def test_a_file_counts_once_however_often_it_is_linked(tmp_path):
    write_lines(tmp_path / "log" / "part-0.jsonl", action(1, "a", 5))
    write_lines(tmp_path / "other" / "part-1.jsonl", action(2, "b", 6))
    (tmp_path / "log" / "latest.jsonl").symlink_to("part-0.jsonl")
    for name in ("day1", "day2"):
        (tmp_path / "log" / name).symlink_to(tmp_path / "other")
    for place in (tmp_path / "log", tmp_path / "log" / "**" / "*.jsonl"):
        assert rows(Interactions.from_file(place)) == [(2, "b"), (1, "a")]
    (tmp_path / "linked").symlink_to(tmp_path / "log")
    write_lines(tmp_path / "log" / "part-1.jsonl", action(3, "c", 7))
    (tmp_path / "log" / "latest.jsonl").unlink()
    (tmp_path / "log" / "latest.jsonl").symlink_to("part-1.jsonl")
    assert rows(Interactions.from_file(tmp_path / "linked"))[1:] == [(1, "a"), (3, "c")]
    (tmp_path / "log" / "loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(DataError, match=r"loop\.jsonl: Too many levels|loop\.jsonl: .*loop"):
        Interactions.from_file(tmp_path / "log")


def test_a_glob_passes_over_what_is_hidden_unless_it_has_the_name(tmp_path):
    write_lines(tmp_path / "_temporary" / "0.jsonl", action(1, "a", 5))
    write_lines(tmp_path / "out" / "0.jsonl", action(2, "b", 6))
    assert rows(Interactions.from_file(tmp_path / "**" / "*.jsonl")) == [(2, "b")]
    assert rows(Interactions.from_file(tmp_path / "_temporary" / "*.jsonl")) == [(1, "a")]
