"""Text files with one action a line: CSV and its kin, with a header or with known columns.

Arrow reads them in parallel, every column as text; types are decided once the whole column is
known. Only when something is wrong is the file walked again, line by line, to name the line.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from seqrec.data.roles import Columns
from seqrec.data.tables import RawTable
from seqrec.data.text import (
    is_named,
    open_stream,
    open_text,
    read_head,
    read_shards,
    unreadable,
)
from seqrec.errors import DataError

CSV_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
_SEPARATORS = ",\t;|"
_TABBED = {".tsv", ".tab"}
_BLOCK_BYTES = 1 << 20
_ID_TYPE = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is cut into fields.

    Attributes:
        sep: the separator: one character, or "::".
        names: the names of the columns; None: the first line tells them.
        quoted: whether fields may stand in double quotes.
    """

    sep: str
    names: tuple[str, ...] | None = None
    quoted: bool = True


def is_csv(path: Path) -> bool:
    """Whether a file is CSV or its kin by its name."""
    return is_named(path, CSV_SUFFIXES)


def read_csv(path: str | Path, columns: Columns, sep: str | None = None) -> RawTable:
    """The log in a CSV or TSV file with a header, compressed or not (.gz, .bz2, .zst, .lz4).

    Args:
        path: a file, a glob or a folder; UTF-8, with or without a byte order mark.
        columns: the names of the columns.
        sep: one character; None: what the header has most of among comma, tab, semicolon and bar.

    Raises:
        DataError: if the file cannot be read, lacks a column or has a wrong line; names the line.
    """
    if sep is not None and (len(sep) != 1 or sep in '"\r\n'):
        raise DataError(f"{path}: sep is {sep!r}; it must be one character")

    def read(file: Path) -> RawTable:
        return read_delimited(file, Layout(sep=sep or _sniff(file)), columns)

    return read_shards(path, CSV_SUFFIXES, "text file", read)


def read_delimited(path: Path, layout: Layout, columns: Columns) -> RawTable:
    """The log in a text file of a known layout; see `read_csv`."""
    above, names = (0, layout.names) if layout.names else read_header(path, layout.sep)
    roles = columns.resolve(list(names), str(path))
    try:
        quotes, enclose_fields = _count_quotes(path, layout.sep) if layout.quoted else (0, True)
        if not enclose_fields:
            _check_quotes(path, layout)
        table = _arrow_table(path, layout, names, roles, skip=above, has_quotes=quotes > 0)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise _diagnosis(path, layout, len(names), error) from None
    except OSError as error:
        raise unreadable(path, error) from None
    return RawTable(
        source=str(path),
        names=roles,
        n_rows=len(table),
        pieces=[{role: table.column(role) for role in roles}],
        where=lambda row: f"{path}, line {_line_of(path, layout, row)}",
        is_text=True,
    )


def _arrow_table(
    path: Path,
    layout: Layout,
    names: tuple[str, ...],
    roles: dict[str, str],
    *,
    skip: int,
    has_quotes: bool,
) -> pa.Table:
    # Arrow knows separators of one character. Cut at ":", "a::b" is a, nothing, b: the columns of
    # type null between the real ones refuse anything but nothing.
    wide = [part for name in names for part in (name, f"{name}/")] if layout.sep == "::" else names
    wide = list(wide)[:-1] if layout.sep == "::" else list(wide)
    ids = {roles["user"], roles["item"]}
    types: dict[str, Any] = {name: pa.string() for name in roles.values()}
    types |= dict.fromkeys(ids, _ID_TYPE)
    types |= {name: pa.null() for name in wide if layout.sep == "::" and name.endswith("/")}
    read = pa_csv.ReadOptions(column_names=wide, skip_rows=skip)
    parse = pa_csv.ParseOptions(
        delimiter=layout.sep[0],
        quote_char='"' if layout.quoted else False,
        newlines_in_values=has_quotes,  # where there are none, blocks are cut in parallel
    )
    convert = pa_csv.ConvertOptions(include_columns=list(types), column_types=types)
    with open_stream(path) as stream:
        table = pa_csv.read_csv(stream, read, parse, convert)
    return pa.table({role: table.column(name) for role, name in roles.items()})


def _count_quotes(path: Path, sep: str) -> tuple[int, bool]:
    """How many double quotes a file has, and whether they enclose fields.

    They do where the first of each two stands where a field begins and the second where it ends, or
    doubled inside it: then Arrow reads what was meant. Quotes within a field that is not in quotes
    mean themselves, so False does not say that one is wrong.
    """
    count, enclose_fields = 0, True
    ends = np.frombuffer(f'\r\n"{sep}'.encode(), dtype=np.uint8)
    mark = codecs.BOM_UTF8
    with open_stream(path) as stream:
        before, block = b"\n", stream.read(len(mark)).removeprefix(mark)
        block = block or stream.read(_BLOCK_BYTES)
        while block:
            after = stream.read(_BLOCK_BYTES)
            text = np.frombuffer(before + block + (after[:1] or b"\n"), dtype=np.uint8)
            places = 1 + np.flatnonzero(text[1:-1] == ord('"'))
            opens = (count + np.arange(len(places))) % 2 == 0
            beside = text[np.where(opens, places - 1, places + 1)]
            enclose_fields &= bool(np.isin(beside, ends).all())
            count += len(places)
            before, block = block[-1:], after
    return count, enclose_fields and count % 2 == 0


def _check_quotes(path: Path, layout: Layout) -> None:
    """Refuses a quoted field that is not closed, or goes on behind its closing quote.

    Arrow would take all up to the next quote, and be it the rest of the file, as one field.
    """
    line = 0
    try:
        for line, _ in _records(path, layout):  # noqa: B007
            pass
    except csv.Error as problem:
        said = (
            "is never closed"
            if "unexpected end" in str(problem)
            else "the field goes on behind its closing quote: double quotes that are text"
        )
        raise DataError(f"{path}, line {line + 1}: a quote opens here and {said}") from None


def _sniff(path: Path) -> str:
    """The separator that the first line has most of outside of quotes; a tab by the file's name."""
    first = re.sub('"[^"]*"', "", read_head(path).lstrip().splitlines()[0])
    if "\t" in first and not _TABBED.isdisjoint(suffix.lower() for suffix in path.suffixes):
        return "\t"
    return max(_SEPARATORS, key=first.count)


def read_header(path: Path, sep: str) -> tuple[int, tuple[str, ...]]:
    """(line where it ends, fields) of the first line that is not empty."""
    reader = csv.reader(io.StringIO(read_head(path), newline=""), delimiter=sep)
    names = next(filter(None, reader), [])
    _check_encoding(path, reader.line_num, names)
    return reader.line_num, tuple(names)


def _records(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """(line where it ends, fields) of every line that is not empty, the header included."""
    with open_text(path) as text:
        if layout.sep == "::":
            lines = ((n, line.rstrip("\r\n").split("::")) for n, line in enumerate(text, start=1))
            yield from ((n, fields) for n, fields in lines if fields != [""])
            return
        quoting = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
        reader = csv.reader(text, delimiter=layout.sep, quoting=quoting, strict=True)
        limit = csv.field_size_limit(2**31 - 1)  # Arrow has none
        try:
            yield from ((reader.line_num, fields) for fields in reader if fields)
        finally:
            csv.field_size_limit(limit)


def _line_of(path: Path, layout: Layout, row: int) -> int:
    """The line, from 1, in which a row of data ends."""
    skipped = 0 if layout.names else 1
    return next(itertools.islice(_records(path, layout), row + skipped, None))[0]


def _check_encoding(path: Path, line: int, fields: list[str]) -> None:
    for place, field in enumerate(fields, start=1):
        if any("\udc80" <= char <= "\udcff" for char in field):
            shown = field.encode("utf-8", "surrogateescape")[:80]
            raise DataError(
                f"{path}, line {line}: field {place} is no UTF-8: {shown!r}; "
                "convert the file to UTF-8"
            )


def _diagnosis(path: Path, layout: Layout, width: int, error: Exception) -> DataError:
    """What is wrong with a file that Arrow refused, and in which line."""
    line = 0
    try:
        for line, fields in _records(path, layout):
            if len(fields) != width:
                return DataError(f"{path}, line {line}: {len(fields)} fields, but {width} expected")
            _check_encoding(path, line, fields)
    except DataError as problem:
        return problem
    except csv.Error as problem:
        return DataError(f"{path}, line {line + 1}: {problem}")
    if not layout.names and line == read_header(path, layout.sep)[0]:  # Arrow wants its end of line
        return DataError(f"{path}: no rows")
    return DataError(f"cannot read {path}: {error}")
