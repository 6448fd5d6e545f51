import json

import pyarrow.parquet as pq
import pytest

from seqrec.data.export import export
from seqrec.errors import ResourceError

LOG = [("a", 10, 1), ("a", 20, 2), ("a", 30, 3), ("a", 40, 4), ("b", 20, 1), ("b", 50, 2)]


def test_leave_one_out_is_written_with_raw_ids(make_log, tmp_path):
    export(make_log(*LOG).split(), tmp_path / "out")
    assert pq.read_table(tmp_path / "out" / "train.parquet").to_pydict() == {
        "user_id": ["a", "a", "b", "b"],
        "item_id": [10, 20, 20, 50],
        "timestamp": [1, 2, 1, 2],
    }
    for name, item in (("valid", 30), ("test", 40)):
        table = pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pydict()
        assert (table["user_id"], table["item_id"]) == (["a"], [item])
        assert table["is_target"] == [True]


def test_global_time_writes_what_lies_between_once(make_log, tmp_path):
    rows = [(1, item, item) for item in range(1, 8)] + [(2, 1, 1), (2, 9, 6), (3, 8, 6)]
    rows += [(4, 20, 1), (4, 21, 2)]  # trained items that nobody evaluated has taken
    export(make_log(*rows).split("global_time", cuts=(3, 6)), tmp_path / "out")
    parts = [
        pq.read_table(tmp_path / "out" / f"{n}.parquet").to_pydict() for n in ("valid", "test")
    ]
    assert [part["item_id"] for part in parts] == [[3, 4, 5], [6, 7, 9]]
    assert [part["is_target"] for part in parts] == [[False, False, True], [False, True, True]]


@pytest.mark.parametrize("options", [("leave_one_out",), ("global_time", (3, 6))])
def test_the_input_of_each_target_is_written_whole(make_log, tmp_path, options):
    rows = [("c", item, item) for item in range(1, 8)] + [("a", item, item) for item in range(2, 5)]
    rows += [("b", 9, 9), ("d", 1, 1), ("d", 6, 6)]  # not evaluated; the test part's alone
    rows += [("e", 20, 1), ("e", 21, 2)]  # trained items that nobody evaluated has taken
    split = make_log(*rows).split(*options)
    export(split, tmp_path / "out")
    decode = split.dataset.user_ids.decode, split.dataset.item_ids.decode
    for part in (split.valid, split.test):
        table = pq.read_table(tmp_path / "out" / f"{part.name}_inputs.parquet").to_pydict()
        histories = {
            str(user): decode[1](part.inputs.user(code) - 1).tolist()
            for code, user in zip(part.users, decode[0](part.users), strict=True)
        }
        assert list(dict.fromkeys(table["user_id"])) == list(histories)
        events = [(user, item) for user, items in histories.items() for item in items]
        assert list(zip(table["user_id"], table["item_id"], strict=True)) == events
        assert table["timestamp"] == table["item_id"]  # of the users that are evaluated


def test_times_are_absent_where_the_log_had_none(make_log, tmp_path):
    export(make_log(*[row[:2] for row in LOG]).split(), tmp_path / "out")
    for name in ("train", "test_inputs"):
        names = pq.read_schema(tmp_path / "out" / f"{name}.parquet").names
        assert names == ["user_id", "item_id"]


def test_pairs_of_both_kinds_are_written(make_log, tmp_path):
    export(make_log(*LOG).split(), tmp_path / "out", draws=3)
    for name in ("valid", "test", "valid_pairs", "test_pairs"):
        assert (tmp_path / "out" / f"{name}.parquet").exists()
    table = pq.read_table(tmp_path / "out" / "test_pairs_popularity.parquet").to_pydict()
    assert table["draw"] == [0, 0, 1, 1, 2, 2]
    assert table["item_id"][1::2] == [50, 50, 50]  # the one trained item that "a" never took


def test_the_protocol_is_written_beside(make_log, tmp_path):
    split = make_log(*LOG).split()
    export(split, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "protocol.json").read_text())
    assert document["split"] == "leave_one_out"
    assert document["evaluated"] == {"valid": 1, "test": 1}
    assert document["data"] == split.dataset.fingerprint


def test_an_existing_export_is_kept_unless_told(make_log, tmp_path):
    split = make_log(*LOG).split()
    export(split, tmp_path / "out")
    with pytest.raises(ResourceError, match="exists already"):
        export(split, tmp_path / "out")
    export(split, tmp_path / "out", overwrite=True)
