"""JSON lines: an object a line, whose names are those of the columns.

Arrow reads the wanted names in parallel and passes over the rest. JSON has types, so what the first
lines hold says what a column holds. Only when something is wrong is the file walked again, line by
line, to name the line.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from seqrec.data.columns import FLOATS_SKIP, first_misfit, shown
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

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_SAMPLE = 100  # objects, at least, whose names are those of all
_PIECE = 1000  # lines that Arrow is asked about at once, to find one that it refuses
_LONGEST = 4000  # digits of an integer: Python refuses to read 4,301
_BLOCK_BYTES = 1 << 24  # Arrow wants a line within one
_KINDS = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
_KINDS[type(None)] = pa.null()
_WORDS = {pa.int64(): "an integer", pa.float64(): "a number", pa.string(): "a string"}
_WORDS |= {pa.bool_(): "a truth value", pa.null(): "nothing"}


class _Record(dict[str, Any]):
    """A JSON object, and the names that stand in it more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = {name for name, n in Counter(name for name, _ in pairs).items() if n > 1}


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_Record, parse_int=_integer)


def is_json_lines(path: Path) -> bool:
    """Whether a file holds JSON lines by its name."""
    return is_named(path, JSON_SUFFIXES)


def read_json_lines(path: str | Path, columns: Columns) -> RawTable:
    """The log in a file of JSON lines, compressed or not, in the files of a glob or of a folder.

    A time may be an integer in one line and written as a float in another; ids are either integers
    or strings.

    Raises:
        DataError: if a file cannot be read, lacks a column or has a wrong line; names the line.
    """
    read = partial(_read_one, columns=columns)
    return read_shards(path, JSON_SUFFIXES, "file of JSON lines", read)


def _read_one(path: Path, columns: Columns) -> RawTable:
    read_head(path)  # for what is no text at all
    values = _first_values(path, columns)
    roles = columns.resolve(list(values), str(path))
    kinds = {name: _kind(role, values[name]) for role, name in roles.items()}
    unnamed = {} if columns.time is not None or "time" in roles else {"timestamp": pa.null()}
    table = _table(path, kinds | unnamed, roles.get("time"))
    return RawTable(
        source=str(path),
        names=roles,
        n_rows=len(table),
        pieces=[{role: table.column(name) for role, name in roles.items()}],
        where=lambda row: f"{path}, line {_line_of(path, row)}",
    )


def _first_values(path: Path, columns: Columns) -> dict[str, Any]:
    """The names of the first objects, each with its first value; None: null in all of them.

    It takes as many objects as it takes to have a value for each column that is named.
    """
    named = [columns.user, columns.item, *filter(None, (columns.time, columns.rating))]
    values: dict[str, Any] = {}
    for count, (_, record) in enumerate(_records(path), start=1):
        for name, value in record.items():
            if values.get(name) is None:
                values[name] = value
        if count >= _SAMPLE and all(values.get(name) is not None for name in named):
            break
    return values


def _kind(role: str, value: Any) -> Any:
    """What a column is read as: the type of its first value; other ratings are numbers."""
    if role == "rating" and not isinstance(value, str):
        return pa.float64()
    return _KINDS.get(type(value), pa.string())


def _table(path: Path, kinds: dict[str, Any], time: str | None) -> pa.Table:
    """The columns of `kinds`; times are floats where not all of them are integers."""
    try:
        return _arrow_table(path, kinds)
    except pa.ArrowInvalid as error:
        if time is None or kinds[time] != pa.int64():
            raise _diagnosis(path, kinds, error) from None
    floats = kinds | {time: pa.float64()}
    try:
        table = _arrow_table(path, floats)
    except pa.ArrowInvalid as error:
        raise _diagnosis(path, floats, error) from None
    largest = pc.call_function("max", [pc.call_function("abs", [table.column(time)])]).as_py()
    if largest is not None and largest >= FLOATS_SKIP:
        raise _diagnosis(path, kinds, "some times are no 64-bit integers")
    return table


def _arrow_table(path: Path, kinds: dict[str, Any]) -> pa.Table:
    try:
        with open_stream(path) as stream:
            return _parsed(stream, kinds)
    except OSError as error:
        raise unreadable(path, error) from None


def _parsed(stream: Any, kinds: dict[str, Any]) -> pa.Table:
    parse = pa_json.ParseOptions(
        explicit_schema=pa.schema(kinds), unexpected_field_behavior="ignore"
    )
    table = pa_json.read_json(stream, pa_json.ReadOptions(block_size=_BLOCK_BYTES), parse)
    table.validate(full=True)  # strings are UTF-8
    return table


def _records(path: Path) -> Iterator[tuple[int, _Record]]:
    """(line, object) of every object.

    Raises:
        DataError: names the line that holds none.
    """
    with open_text(path) as text:
        for line, written in enumerate(text, start=1):
            rest = written.strip()
            if len(rest) > _BLOCK_BYTES:
                raise DataError(f"{path}, line {line}: longer than {_BLOCK_BYTES >> 20} MiB")
            while rest:
                try:
                    record, end = _DECODER.raw_decode(rest)
                except json.JSONDecodeError as error:
                    place = len(written.rstrip()) - len(rest) + error.pos + 1
                    raise DataError(
                        f"{path}, line {line}: no JSON object{_hint(rest)}: "
                        f"{error.msg} at character {place}"
                    ) from None
                except RecursionError:
                    raise DataError(f"{path}, line {line}: nested too deeply") from None
                if not isinstance(record, _Record):
                    raise DataError(
                        f"{path}, line {line}: {shown(record)} is no JSON object{_hint(rest)}"
                    )
                yield line, record
                rest = rest[end:].lstrip()


def _hint(text: str) -> str:
    """What is to be done about an array, or an object over several lines."""
    if text.startswith("["):
        return " (an array? write an object a line: jq -c '.[]')"
    return " (its end is in another line? write an object a line: jq -c .)" if text == "{" else ""


def _line_of(path: Path, row: int) -> int:
    """The line, from 1, of a row."""
    return next(islice(_records(path), row, None))[0]


def _diagnosis(path: Path, kinds: dict[str, Any], error: object) -> DataError:
    """What is wrong with a file that Arrow refused, and in which line."""
    try:
        for line, record in _records(path):
            for name, kind in kinds.items():
                fault = _fault(record, name, kind)
                if fault:
                    return DataError(f"{path}, line {line}: column {name!r} {fault}")
    except DataError as problem:
        return problem
    return _refused_line(path, kinds) or DataError(f"cannot read {path}: {error}")


def _refused_line(path: Path, kinds: dict[str, Any]) -> DataError | None:
    """The first line that Arrow refuses, be it for something in a column that is not wanted."""
    with open_text(path) as text:
        start = 1
        while lines := [line.encode("utf-8", "surrogateescape") for line in islice(text, _PIECE)]:

            def refusal(low: int, high: int, lines: list[bytes] = lines) -> str:
                try:
                    _parsed(io.BytesIO(b"".join(lines[low:high]) or b" "), kinds)
                except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                    return "" if "Empty JSON" in str(error) else str(error)
                return ""

            if refusal(0, len(lines)):
                row = first_misfit(len(lines), lambda low, high: not refusal(low, high))
                said = refusal(row, row + 1).removesuffix(" in row 0")
                return DataError(f"{path}, line {start + row}: {said}")
            start += len(lines)
    return None


def _fault(record: _Record, name: str, kind: Any) -> str:
    """What is wrong with a value of a column that holds `kind`; "": nothing."""
    value = record.get(name)
    if name in record.repeated:
        return "is there twice"
    if value is None:
        return ""
    if type(value) not in _KINDS:
        return f"has {shown(value)}, neither a number nor a string"
    is_number = kind == pa.float64() and type(value) is int
    if _KINDS.get(type(value)) != kind and not is_number:
        return f"has {shown(value)}, where {_WORDS[kind]} is expected, as in the lines before"
    if kind == pa.int64() and not -(2**63) <= value < 2**63:
        return f"has {value}, beyond 64-bit integers: write the column as strings"
    if isinstance(value, str) and not _is_unicode(value):
        return f"has {shown(value)}, which is no valid Unicode"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
