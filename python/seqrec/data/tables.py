"""Tables of raw columns, from Parquet files and from data frames of any library."""

from __future__ import annotations

import bisect
import glob
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from seqrec.data.columns import Columns, Where
from seqrec.errors import DataError

PARQUET_SUFFIXES = (".parquet", ".parq", ".pq")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """The wanted columns of a log as they were read.

    Attributes:
        source: what was read, for messages.
        names: the column name of each role that is there: "user", "item", "time", "rating".
        columns: an Arrow chunked array for each role.
        where: names a row, for messages.
        is_text: whether every column is text from a file without types.
    """

    source: str
    names: dict[str, str]
    columns: dict[str, Any]
    where: Where
    is_text: bool = False


def read_parquet(path: str | Path, columns: Columns) -> RawTable:
    """The log in a Parquet file, in the files of a glob, or in a folder of shards, by name.

    In folders, at any depth, files and folders whose names start with "_" or "." are ignored.

    Raises:
        DataError: if there is no file, one cannot be read, lacks a column or differs in its types.
    """
    paths = _parquet_paths(path)
    roles: dict[str, str] = {}
    tables: list[pa.Table] = []
    for place, file in enumerate(paths):
        table, found = _read_file(file, columns)
        if place and found != roles:
            raise DataError(f"{file} has columns {found}, but {paths[0]} has {roles}")
        roles = found
        tables.append(table)
    starts = [0, *itertools.accumulate(len(table) for table in tables)]

    def where(row: int) -> str:
        place = bisect.bisect_right(starts, row) - 1
        return f"{paths[min(place, len(paths) - 1)]}, row {row - starts[place]} (the first is 0)"

    try:
        table = _concatenated(tables)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: the files differ in the types of a column: {error}") from None
    return RawTable(
        source=str(path),
        names=roles,
        columns={role: table.column(name) for role, name in roles.items()},
        where=where,
    )


def read_frame(frame: Any, columns: Columns, source: str = "data frame") -> RawTable:
    """The log in a pandas or polars frame, an Arrow table, or anything else that narwhals reads.

    Raises:
        DataError: if it is no frame, lacks a column, or a column mixes types.
    """
    try:
        narwhal = nw.from_native(frame)
    except TypeError:
        raise DataError(
            f"cannot read a {type(frame).__name__}: give a pandas or polars data frame or an "
            "Arrow table"
        ) from None
    roles = columns.resolve([str(name) for name in narwhal.collect_schema().names()], source)
    chosen = narwhal.select(list(roles.values()))
    eager = chosen.collect(backend="pyarrow") if isinstance(chosen, nw.LazyFrame) else chosen

    def where(row: int) -> str:
        return f"{source}, row {row} (the first is 0)"

    arrays = {role: _arrow_column(eager, name, where) for role, name in roles.items()}
    return RawTable(source=source, names=roles, columns=arrays, where=where)


def _parquet_paths(path: str | Path) -> list[Path]:
    """The files that a path, a folder or a glob stands for, in the order of their names."""
    place = Path(path)
    if place.is_dir():
        inside = sorted(p for p in place.rglob("*") if p.suffix in PARQUET_SUFFIXES)
        paths = [p for p in inside if not _is_hidden(p.relative_to(place)) and p.is_file()]
        if not paths:
            raise DataError(f"{place} holds no Parquet file ({', '.join(PARQUET_SUFFIXES)})")
        return paths
    if place.exists() or not glob.has_magic(str(path)):
        return [place]
    paths = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    paths = [p for p in paths if p.is_file() and not p.name.startswith(("_", "."))]
    if not paths:
        raise DataError(f"no file matches {path}")
    return paths


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in relative.parts)


def _read_file(path: Path, columns: Columns) -> tuple[pa.Table, dict[str, str]]:
    try:
        with pq.ParquetFile(path) as file:
            roles = columns.resolve(file.schema_arrow.names, str(path))
            return file.read(columns=list(roles.values())), roles
    except DataError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {path} as Parquet: {reason}") from None


def _concatenated(tables: list[pa.Table]) -> pa.Table:
    if any(table.schema.types != tables[0].schema.types for table in tables):
        tables = [_without_dictionaries(table) for table in tables]
    return pa.concat_tables(tables, promote_options="permissive")


def _without_dictionaries(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.name, plain)
    return table


def _arrow_column(frame: Any, name: str, where: Where) -> Any:
    try:
        column = frame.select(name).to_arrow().column(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        row = _first_of_another_type(frame[name].to_list())
        raise DataError(
            f"{where(row)}: column {name!r} mixes types or holds what Arrow cannot: {error}"
        ) from None
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _first_of_another_type(values: list[Any]) -> int:
    return next((row for row, v in enumerate(values) if type(v) is not type(values[0])), 0)
