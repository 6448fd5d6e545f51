import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest

from seqrec.data import delimited
from seqrec.data.interactions import Interactions
from seqrec.data.text import COMPRESSIONS
from seqrec.errors import DataError
from unit.data.read_back import rows


def read(tmp_path: Path, content: str | bytes, name: str = "log.csv", **options) -> Interactions:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Interactions.from_csv(path, **options)


def test_a_csv_file_is_read_in_its_order(tmp_path):
    log = read(tmp_path, "user_id,item_id,timestamp\nb,10,5\na,9,4\nb,9,3\n")
    assert rows(log) == [("b", 10), ("a", 9), ("b", 9)]
    assert log.times.tolist() == [5, 4, 3]


@pytest.mark.parametrize("sep", [",", "\t", ";", "|"])
def test_the_separator_is_found_in_the_header(tmp_path, sep):
    content = "user_id,item_id\n1,2\n".replace(",", sep)
    assert rows(read(tmp_path, content)) == [(1, 2)]


@pytest.mark.parametrize("name", ["log.tsv", "log.TSV", "log.tab", "log.tsv.gz"])
def test_a_file_named_for_its_tabs_is_cut_at_them(tmp_path, name):
    text = "user_id\titem_id\ttags (a, b, c)\n1\t2\tx\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert len(Interactions.from_csv(path)) == 1


def test_separators_inside_quotes_do_not_count(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('"user, the, first, one";item_id\n1;2\n')
    assert len(Interactions.from_csv(path, user_col="user, the, first, one")) == 1


def test_a_separator_can_be_given(tmp_path):
    assert rows(read(tmp_path, "user_id:item_id\n1:2\n", sep=":")) == [(1, 2)]


def test_a_separator_of_two_characters_is_refused(tmp_path):
    with pytest.raises(DataError, match="sep is '::'"):
        read(tmp_path, "user_id,item_id\n", sep="::")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_gives_the_same(tmp_path, end):
    content = end.join(["user_id,item_id", "1,2", "3,4", ""])
    assert rows(read(tmp_path, content)) == [(1, 2), (3, 4)]


def test_the_last_line_needs_no_end(tmp_path):
    assert rows(read(tmp_path, "user_id,item_id\n1,2\n3,4")) == [(1, 2), (3, 4)]


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    assert rows(read(tmp_path, "\ufeffuser_id,item_id\n1,2\n\n3,4\n\n")) == [(1, 2), (3, 4)]


def test_quoted_fields_may_hold_separators_and_line_ends(tmp_path):
    content = 'item_id,user_id\n"a,""b""",1\n"c\nd",2\n'
    assert rows(read(tmp_path, content)) == [(1, 'a,"b"'), (2, "c\nd")]


def test_other_columns_are_not_read(tmp_path):
    assert rows(read(tmp_path, "x,user_id,y,item_id\n?,1,,2\n")) == [(1, 2)]


def test_text_that_looks_missing_is_an_id_like_any_other(tmp_path):
    assert rows(read(tmp_path, "user_id,item_id\nNA,nan\nnull,None\n")) == [
        ("NA", "nan"),
        ("null", "None"),
    ]


def test_leading_zeros_are_kept(tmp_path):
    assert rows(read(tmp_path, "user_id,item_id\n007,1\n7,1\n")) == [("007", 1), ("7", 1)]


@pytest.mark.parametrize("name", ["log.csv.gz", "LOG.CSV.GZ"])
def test_a_compressed_file_is_read(tmp_path, name):
    content = gzip.compress(b"user_id,item_id\n1,2\n")
    assert rows(read(tmp_path, content, name=name)) == [(1, 2)]


def test_columns_can_be_named(tmp_path):
    log = read(tmp_path, "u,i,t\n1,2,3\n", user_col="u", item_col="i", time_col="t")
    assert (rows(log), log.times.tolist()) == ([(1, 2)], [3])


def test_an_empty_id_names_its_line(tmp_path):
    with pytest.raises(DataError, match=r"log\.csv, line 4: column 'item_id' is empty"):
        read(tmp_path, "user_id,item_id\n1,2\n\n1,\n")


def test_a_wrong_time_names_its_line(tmp_path):
    content = 'item_id,user_id,timestamp\n"a\nb",1,5\nc,1,later\n'
    with pytest.raises(DataError, match=r"log\.csv, line 4: column 'timestamp' has 'later'"):
        read(tmp_path, content)


@pytest.mark.parametrize("line", ["3", "3,4,5"])
def test_a_line_of_another_width_is_named(tmp_path, line):
    with pytest.raises(DataError, match=r"line 3: \d fields, but 2 expected"):
        read(tmp_path, f"user_id,item_id\n1,2\n{line}\n5,6\n")


def test_a_quote_that_never_closes_names_its_line(tmp_path):
    with pytest.raises(DataError, match=r"log\.csv, line 3: a quote opens here"):
        read(tmp_path, 'user_id,item_id\n1,2\n3,"4\n5,6\n')


@pytest.mark.parametrize("block", [1 << 20, 3])
def test_two_stray_quotes_never_swallow_the_rows_between_them(tmp_path, monkeypatch, block):
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", block)
    lines = [f"{row},{row}" for row in range(1000)]
    lines[5], lines[900] = '5,"5', '900,"9'
    text = "\n".join(["user_id,item_id", *lines]) + "\n"
    with pytest.raises(DataError, match="line 7: a quote opens here and the field goes on behind"):
        read(tmp_path, text)


@pytest.mark.parametrize("field", ['"5" x', '"5"6', '"5"" x', '"5" "6"'])
def test_a_field_that_goes_on_behind_its_quotes_is_refused(tmp_path, field):
    with pytest.raises(DataError, match="line 2: a quote opens here"):
        read(tmp_path, f'user_id,item_id\n1,{field}\n2,"7"\n')


@pytest.mark.parametrize("block", [1 << 20, 3, 4, 5])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_quotes_that_enclose_fields_need_no_second_look(tmp_path, monkeypatch, block, end):
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", block)
    monkeypatch.setattr(delimited, "_check_quotes", lambda *_: pytest.fail("a second look"))
    lines = ['\ufeff"user_id","item_id"', '"a","say ""x"""', '"b","z,\nz"', '"c","""y"""']
    text = "\n".join(lines) + end
    log = read(tmp_path, text)
    assert delimited._count_quotes(tmp_path / "log.csv", ",") == (text.count('"'), True)
    assert rows(log) == [("a", 'say "x"'), ("b", "z,\nz"), ("c", '"y"')]


def test_a_quote_inside_a_field_is_text(tmp_path):
    assert rows(read(tmp_path, 'user_id,item_id\n1,5" disk\n')) == [(1, '5" disk')]


def test_a_header_that_is_no_utf8_says_so(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"K\xe4ufer,item_id\n1,2\n")
    with pytest.raises(DataError, match=r"line 1: field 1 is no UTF-8: b'K\\xe4ufer'; convert"):
        Interactions.from_csv(tmp_path / "log.csv", user_col="Käufer")


def test_bytes_that_are_no_utf8_name_their_line(tmp_path):
    with pytest.raises(DataError, match=r"line 3: field 2 is no UTF-8: b'caf\\xe9'"):
        read(tmp_path, b"user_id,item_id\n1,a\n2,caf\xe9\n")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing_has_no_rows(tmp_path, content):
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path, content)


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_header_alone_is_no_rows(tmp_path, end):
    with pytest.raises(DataError, match=r"log\.csv: no rows"):
        read(tmp_path, f"user_id,item_id{end}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_refused_with_a_hint(tmp_path, encoding):
    with pytest.raises(DataError, match="UTF-16"):
        read(tmp_path, "user_id,item_id\n1,2\n".encode(encoding))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        Interactions.from_csv(tmp_path / "none.csv")


def test_a_folder_without_text_files_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no text file \(\.csv"):
        Interactions.from_csv(tmp_path)


@pytest.mark.parametrize("packed", ["gzip", "bz2", "zstd", "lz4"])
@pytest.mark.parametrize("end", [1, 60, -20])
def test_a_damaged_compressed_file_is_named(tmp_path, packed, end):
    with pa.CompressedOutputStream(sink := pa.BufferOutputStream(), packed) as file:
        file.write(b"user_id,item_id\n" + b"".join(b"%d,%d\n" % (n * n, n) for n in range(30_000)))
    suffix = {packed: suffix for suffix, packed in COMPRESSIONS.items()}[packed]
    content = sink.getvalue().to_pybytes()[:end]
    with pytest.raises(DataError, match=rf"log\.csv\{suffix} is damaged, or was not packed by"):
        read(tmp_path, content, name=f"log.csv{suffix}")


def test_a_file_that_is_not_packed_as_its_name_says_is_named(tmp_path):
    with pytest.raises(DataError, match=r"log\.csv\.gz is damaged, or was not packed by gzip"):
        read(tmp_path, "user_id,item_id\n1,2\n", name="log.csv.gz")


def test_a_missing_column_names_what_was_found(tmp_path):
    with pytest.raises(DataError, match=r"no column 'item_id' .*found: 'user_id', 'movie'"):
        read(tmp_path, "user_id,movie\n1,2\n")


def test_a_file_of_many_blocks_keeps_its_order_and_its_lines(tmp_path):
    lines = [f"{row % 97},{row}" for row in range(300_000)]
    content = "\n".join(["user_id,item_id", *lines])
    log = read(tmp_path, content)
    assert log.item_ids.decode(log.items).tolist() == list(range(300_000))
    with pytest.raises(DataError, match="line 300002: column 'item_id' is empty"):
        read(tmp_path, content + "\n1,")


def test_empty_lines_before_the_header_are_skipped(tmp_path):
    log = read(tmp_path, "\n\r\nuser_id,item_id\n1,2\n\n3,4\n")
    assert rows(log) == [(1, 2), (3, 4)]
    with pytest.raises(DataError, match="line 4: column 'user_id' is empty"):
        read(tmp_path, "\n\nuser_id,item_id\n,2\n")


def test_a_long_field_is_read_and_a_fault_behind_it_named(tmp_path):
    long = "user_id,item_id,timestamp\n1," + "a" * 200_000 + ",5\n"
    assert len(read(tmp_path, long)) == 1
    with pytest.raises(DataError, match="line 3: column 'timestamp' is empty"):
        read(tmp_path, long + "1,b,\n")
    with pytest.raises(DataError, match="line 3: 2 fields, but 3 expected"):
        read(tmp_path, long + "1,b\n")


def test_a_name_that_is_no_text_is_refused(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    (folder / "log.csv").write_text("user_id,item_id\n1,2\n")
    with pytest.raises(DataError, match="is no valid UTF-8, which Arrow wants: rename it"):
        Interactions.from_csv(folder / "log.csv")
