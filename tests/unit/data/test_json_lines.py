import bz2
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqrec.data import json_lines
from seqrec.data.interactions import Interactions
from seqrec.errors import DataError
from unit.data.read_back import rows

FIRST = '{"user_id": 1, "item_id": "a", "timestamp": 5}\n'


def read(tmp_path: Path, content: str | bytes, name: str = "log.jsonl", **options) -> Interactions:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Interactions.from_json_lines(path, **options)


def test_objects_are_read_in_their_order_and_other_names_passed_over(tmp_path):
    log = read(
        tmp_path,
        '{"user_id": 7, "item_id": "b", "timestamp": 5, "tags": [1, {"user_id": 9}]}\n'
        "\n"
        '{"timestamp": 4, "item_id": "a", "user_id": -3, "tags": "none"}\r\n',
    )
    assert rows(log) == [(7, "b"), (-3, "a")]
    assert log.times.tolist() == [5, 4]


def test_ids_have_the_types_of_json(tmp_path):
    log = read(tmp_path, '{"user_id": "7", "item_id": "007"}\n{"user_id": "8", "item_id": "é"}\n')
    assert rows(log) == [("7", "007"), ("8", "é")]
    log = read(tmp_path, json.dumps({"user_id": 2**63 - 1, "item_id": -(2**63)}))
    assert rows(log) == [(2**63 - 1, -(2**63))]


@pytest.mark.parametrize("name", ["log.jsonl", "log.NDJSON", "log.json", "log.json.gz"])
def test_the_name_of_a_file_tells_its_format(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(FIRST.encode()) if name.endswith(".gz") else FIRST.encode())
    assert rows(Interactions.from_file(path)) == [(1, "a")]


def test_columns_are_named_as_in_any_log(tmp_path):
    line = '{"who": 1, "what": 2, "when": 3, "rating": 4}\n{"who": 1, "what": 2, "when": 3}\n'
    log = read(
        tmp_path, line, user_col="who", item_col="what", time_col="when", rating_col="rating"
    )
    assert log.ratings[0] == 4.0
    assert log.ratings[1] != log.ratings[1]
    with pytest.raises(DataError, match="no column 'user_id' for the user; found: 'who', 'what'"):
        read(tmp_path, line)
    with pytest.raises(DataError, match="'event_time' seems to hold the times"):
        read(tmp_path, '{"user_id": 1, "item_id": 2, "event_time": 3}')


@pytest.mark.parametrize("n", [1, 1000])
def test_a_column_may_first_stand_in_a_later_line(tmp_path, n):
    early = '{"user_id": 1, "item_id": 2}\n' * n
    late = early + '{"user_id": 1, "item_id": 2, "timestamp": 3, "when": 4, "rating": 5}\n'
    said = "'timestamp'" if n == 1 else "'timestamp' has 3, where nothing is expected"
    with pytest.raises(DataError, match=f"line {1 if n == 1 else 1001}: column {said}"):
        read(tmp_path, late)  # whose order would be lost without a word
    with pytest.raises(DataError, match="line 1: column 'when' is null; leave this row"):
        read(tmp_path, late, time_col="when")
    ratings = read(tmp_path, late, rating_col="rating", time_col="").ratings
    assert ratings[-1] == 5.0
    assert len(ratings) == n + 1


def test_a_column_without_a_value_is_named(tmp_path):
    empty = '{"user_id": null, "item_id": 2}\n' * 200
    with pytest.raises(DataError, match="line 1: column 'user_id' is null, as in every row"):
        read(tmp_path, empty)
    with pytest.raises(DataError, match=r"line 1: column 'user_id' is null; .* and 199 more"):
        read(tmp_path, empty + '{"user_id": 1, "item_id": 2}')
    assert rows(read(tmp_path, '{"user_id": "", "item_id": 2}\n')) == [("", 2)]


def test_times_are_numbers_or_dates(tmp_path):
    floats = FIRST + '{"user_id": 1, "item_id": "b", "timestamp": 7.0}\n'
    assert read(tmp_path, floats).times.tolist() == [5, 7]
    large = FIRST.replace("5", str(2**62 + 1))
    assert read(tmp_path, large).times.tolist() == [2**62 + 1]
    date = FIRST.replace("5", '"1970-01-02T00:00:00Z"')
    assert read(tmp_path, date).times.tolist() == [86_400_000_000]
    with pytest.raises(DataError, match=r"line 3: .* has 1.0, where an integer is expected"):
        read(tmp_path, FIRST.replace("5", str(2**53 + 1)) * 2 + FIRST.replace("5", "1.0"))
    with pytest.raises(DataError, match="line 2: column 'item_id' has 3, where a string is expec"):
        read(tmp_path, FIRST.replace("5", "5.0") + FIRST.replace('"a"', "3").replace("5", "6"))
    with pytest.raises(DataError, match=r"line 2: .* has 2.5, no integer"):
        read(tmp_path, FIRST + FIRST.replace("5", "2.5"))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ('{"user_id": "2", "item_id": "a", "timestamp": 5}', "has '2', where an integer is exp"),
        ('{"user_id": 2, "item_id": 3, "timestamp": 5}', "has 3, where a string is expected"),
        ('{"user_id": true, "item_id": "a", "timestamp": 5}', "has True, where an integer"),
        ('{"user_id": 2, "item_id": "a", "timestamp": "5"}', "has '5', where a number is expected"),
        ('{"user_id": 2, "item_id": ["a"], "timestamp": 5}', r"has \['a'\], neither a number nor"),
        (f'{{"user_id": {2**63}, "item_id": "a", "timestamp": 5}}', "beyond 64-bit integers"),
        ('{"user_id": 2.0, "item_id": "a", "timestamp": 5}', "has 2.0, where an integer is"),
        ('{"user_id": 2, "user_id": 3, "item_id": "a", "timestamp": 5}', "is there twice"),
        ('{"user_id": 2, "item_id": "\\ud800", "timestamp": 5}', "no valid Unicode"),
        (b'{"user_id": 2, "item_id": "\xff", "timestamp": 5}', "no valid Unicode"),
        ('{"user_id": 2, "timestamp": 5}', "column 'item_id' is null; leave this row out"),
        ("5", "5 is no JSON object"),
        ('{"user_id": 2 "item_id": "a"}', "Expecting ',' delimiter at character 15"),
        ('{"user_id": 2, "item_id"', "no JSON object: Expecting ':' delimiter"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path, second, said):
    second = second if isinstance(second, bytes) else second.encode()
    blank = b"\n"  # counts as a line
    with pytest.raises(DataError, match=f"log.jsonl, line 3: .*{said}"):
        read(tmp_path, FIRST.encode() + blank + second)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"user_id": 1.5, "item_id": "a"}', "'user_id' holds floats .1.5.; floats lose digits"),
        ('{"user_id": false, "item_id": "a"}', "'user_id' has type bool; ids are integers or str"),
        ('[{"user_id": 1, "item_id": "a"}]', "no JSON object .an array. write an object a line"),
        (
            '{\n"user_id": 1,\n"item_id": "a"\n}',
            "its end is in another line. write an object",
        ),
        ('[{"user_id": 1, "item_id": "a"},', "no JSON object .an array. write an object a line"),
        ('{"user_id": 1, "item_id": "a"},', "no JSON object: Expecting value at character 31"),
        ("user_id,item_id", "no JSON object"),
    ],
)
def test_what_no_line_can_be_is_named(tmp_path, line, said):
    with pytest.raises(DataError, match=f"log.jsonl, line 1: .*{said}"):
        read(tmp_path, line)


@pytest.mark.parametrize("wrong", ['"\\ud83d"', "1e400", "\u00a0"])
def test_what_arrow_refuses_in_columns_that_nobody_wants_is_named(tmp_path, wrong):
    lines = [FIRST.replace("}", ', "text": "x"}')] * 2500 + ["\n", FIRST]
    lines[2000] = FIRST.replace("}", f', "text": {wrong}}}')
    if wrong == "1e400":
        lines[2000] = FIRST.replace("5", wrong)
    with pytest.raises(DataError, match=r"log\.jsonl, line 2001: "):
        read(tmp_path, "".join(lines))


def test_what_python_cannot_read_of_a_line_is_passed_over_or_named(tmp_path):
    huge = FIRST.replace("}", f', "text": {"9" * 5000}}}')
    assert rows(read(tmp_path, huge)) == [(1, "a")]
    with pytest.raises(DataError, match=r"line 1: column 'user_id' holds floats .inf"):
        read(tmp_path, huge.replace('"user_id": 1', f'"user_id": {"9" * 5000}'))
    deep = FIRST.replace("}", f', "text": {"[" * 100_000}{"]" * 100_000}}}')
    with pytest.raises(DataError, match="line 2: nested too deeply"):
        read(tmp_path, FIRST + deep)


def test_files_without_text_or_rows_are_named(tmp_path):
    for content in ("", "\n \n"):
        with pytest.raises(DataError, match="no rows; the file is empty"):
            read(tmp_path, content)
    with pytest.raises(DataError, match="no UTF-8 text"):
        read(tmp_path, FIRST.encode("utf-16"))
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(DataError, match=r"holds no file of JSON lines \(\.jsonl, \.ndjson"):
        Interactions.from_json_lines(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        Interactions.from_json_lines(tmp_path / "none.jsonl")


def test_damaged_archives_are_named(tmp_path):
    for name, packed in (("a.jsonl.gz", gzip.compress), ("a.jsonl.bz2", bz2.compress)):
        assert rows(read(tmp_path, packed(FIRST.encode()), name)) == [(1, "a")]
        with pytest.raises(DataError, match="is damaged, or was not packed by"):
            read(tmp_path, packed(FIRST.encode() * 9)[:-12], name)


def test_a_byte_order_mark_and_several_objects_a_line_are_read(tmp_path):
    log = read(tmp_path, "\ufeff" + FIRST.strip() + FIRST)
    assert rows(log) == [(1, "a"), (1, "a")]
    null = FIRST.replace("1", "null")
    with pytest.raises(DataError, match="line 2: column 'user_id' is null"):
        read(tmp_path, FIRST.strip() + FIRST + null)


def test_a_long_line_is_read_or_named(tmp_path, monkeypatch):
    assert len(read(tmp_path, FIRST.replace("}", f', "text": "{"x" * (2 << 20)}"}}'))) == 1
    monkeypatch.setattr(json_lines, "_BLOCK_BYTES", 1 << 10)
    with pytest.raises(DataError, match="line 1: longer than"):
        read(tmp_path, FIRST.replace("}", f', "text": "{"x" * (2 << 10)}"}}'))


IDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


@given(st.lists(st.tuples(IDS, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=20))
def test_what_is_written_is_read(tmp_path_factory, pairs):
    lines = [json.dumps({"user_id": user, "item_id": item}) for user, item in pairs]
    log = read(tmp_path_factory.mktemp("log"), "\n".join(lines))
    assert rows(log) == pairs


def test_they_say_what_parquet_says(tmp_path):
    table = pa.table({"user_id": [3, 1, 3], "item_id": ["x", "y", "x"], "timestamp": [3, 2, 1]})
    lines = "\n".join(json.dumps(row) for row in table.to_pylist())
    ours = read(tmp_path, lines).prepare()
    assert ours.fingerprint == Interactions.from_frame(table).prepare().fingerprint
