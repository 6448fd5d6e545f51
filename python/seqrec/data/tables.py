"""Tables of raw columns, from Parquet files and from data frames of any library."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
from narwhals.exceptions import DuplicateError

from seqrec.data.columns import Where, first_misfit, shown
from seqrec.data.roles import Columns
from seqrec.data.shards import find_shards
from seqrec.errors import DataError

PARQUET_SUFFIXES = (".parquet", ".parq", ".pq")
_MAGIC = b"PAR1"  # what a Parquet file begins with
_PIECE = 1 << 21  # rows of a Parquet file that are in memory as they were stored


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """The wanted columns of a log as they are read, piece by piece.

    Attributes:
        source: what is read, for messages.
        names: the column name of each role that is there: "user", "item", "time", "rating".
        n_rows: how many rows there are in all pieces.
        pieces: an Arrow chunked array for each role, of the rows of each piece in turn.
        where: names a row, for messages.
        is_text: whether every column is text from a file without types.
    """

    source: str
    names: dict[str, str]
    n_rows: int
    pieces: Iterable[dict[str, Any]]
    where: Where
    is_text: bool = False


def joined(tables: list[RawTable], source: str) -> RawTable:
    """The logs of several files as one, in their order; all of it in memory.

    Raises:
        DataError: if they differ in the columns, or in the types of one.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        _check_same_roles(table.source, table.names, first.source, first.names)
    pieces = [pa.table(piece) for table in tables for piece in table.pieces]
    for role in ("user", "item"):  # as floats integers would lose digits
        if any(piece.schema.field(role) != pieces[0].schema.field(role) for piece in pieces):
            raise _differing(tables, pieces)
    try:
        whole = pa.concat_tables(pieces, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise _differing(tables, pieces) from None
    starts = [0, *itertools.accumulate(table.n_rows for table in tables)]

    def where(row: int) -> str:
        place = min(bisect.bisect_right(starts, row), len(tables)) - 1
        return tables[place].where(row - starts[place])

    return RawTable(
        source=source,
        names=first.names,
        n_rows=len(whole),
        pieces=[{role: whole.column(role) for role in first.names}],
        where=where,
        is_text=first.is_text,
    )


def read_parquet(path: str | Path, columns: Columns) -> RawTable:
    """The log in a Parquet file, in the files of a glob, or in a folder of shards, by name.

    Rows are read when the pieces are: files larger than memory pass through it. Where files differ
    in the types of a column, it is read as the type that holds them all, except that integers stay
    integers: as floats they would lose digits.

    Raises:
        DataError: if there is no file, one cannot be read, lacks a column or differs in its types.
    """
    paths = find_shards(path, is_parquet, f"Parquet file ({', '.join(PARQUET_SUFFIXES)})")
    schemas: list[pa.Schema] = []
    starts = [0]
    roles: dict[str, str] = {}
    for place, file in enumerate(paths):
        schema, rows, found = _read_schema(file, columns)
        if place:
            _check_same_roles(file, found, paths[0], roles)
        roles = found
        schemas.append(schema)
        starts.append(starts[-1] + rows)

    def where(row: int) -> str:
        place = bisect.bisect_right(starts, row) - 1
        return f"{paths[min(place, len(paths) - 1)]}, row {row - starts[place]} (the first is 0)"

    try:
        common = _common_schema(schemas)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: the files differ in the types of a column: {error}") from None
    # Text is read as times in the one way that fits every row, so all rows have to be there.
    whole = "time" in roles and not _is_number_or_time(common.field(roles["time"]).type)
    size = max(starts[-1], 1) if whole else _PIECE
    types = [common if whole else _with_integers_of(schema, common) for schema in schemas]
    return RawTable(
        source=str(path),
        names=roles,
        n_rows=starts[-1],
        pieces=_parquet_pieces(paths, roles, types, size),
        where=where,
    )


def read_frame(frame: Any, columns: Columns, source: str = "data frame") -> RawTable:
    """The log in a pandas or polars frame, an Arrow table, or anything else that narwhals reads.

    Raises:
        DataError: if it is no frame, lacks a column, or a column mixes types.
    """
    try:
        narwhal = nw.from_native(frame)
        schema = narwhal.collect_schema()
    except DuplicateError as error:
        said = " ".join(str(error).split())  # on one line
        raise DataError(f"{source}: a column occurs twice: {said}") from None
    except TypeError:
        raise DataError(
            f"cannot read a {type(frame).__name__}: give a pandas or polars data frame or an "
            "Arrow table"
        ) from None
    own = {str(name): name for name in schema.names()}
    times = {str(name) for name, kind in schema.items() if isinstance(kind, nw.Datetime | nw.Date)}
    roles = columns.resolve([str(name) for name in schema.names()], source, times)
    # In pandas a column may be called 0 instead of "0".
    chosen = narwhal.select([nw.col(own[name]).alias(name) for name in roles.values()])
    eager = chosen.collect(backend="pyarrow") if isinstance(chosen, nw.LazyFrame) else chosen

    def where(row: int) -> str:
        return f"{source}, row {row} (the first is 0)"

    arrays = {role: _arrow_column(eager, name, where) for role, name in roles.items()}
    return RawTable(
        source=source, names=roles, n_rows=len(arrays["user"]), pieces=[arrays], where=where
    )


def is_parquet(path: Path) -> bool:
    """By its name, or without a suffix by its first bytes, as the shards of some writers are."""
    if path.suffix:
        return path.suffix.lower() in PARQUET_SUFFIXES
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _differing(tables: list[RawTable], pieces: list[pa.Table]) -> DataError:
    """What is said of files, a piece each, whose columns do not go together."""
    first = pieces[0].schema
    for table, piece in zip(tables, pieces, strict=True):
        for role, name in table.names.items():
            kind, wanted = piece.schema.field(role).type, first.field(role).type
            if kind != wanted:
                return DataError(
                    f"{table.where(0)}: column {name!r} holds {kind}, but {wanted} in "
                    f"{tables[0].source}: write all files alike"
                )
    raise AssertionError  # what is alike goes together


def _check_same_roles(
    source: str | Path, found: dict[str, str], first: str | Path, roles: dict[str, str]
) -> None:
    if found != roles:
        raise DataError(f"{source} has columns {found}, but {first} has {roles}")


def _read_schema(path: Path, columns: Columns) -> tuple[pa.Schema, int, dict[str, str]]:
    """The types of the wanted columns, the number of rows, and which column plays which role."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _unreadable(path, error) from None
    times = {field.name for field in schema if _is_point_in_time(field.type)}
    roles = columns.resolve(schema.names, str(path), times)
    return pa.schema([schema.field(name) for name in roles.values()]), rows, roles


def _is_point_in_time(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def _common_schema(schemas: list[pa.Schema]) -> pa.Schema:
    """The types that the columns of all files fit into."""
    bare = [schema.remove_metadata() for schema in schemas]
    if any(schema.types != bare[0].types for schema in bare):
        bare = [_without_dictionaries(schema) for schema in bare]
    return pa.unify_schemas(bare, promote_options="permissive")


def _with_integers_of(schema: pa.Schema, common: pa.Schema) -> pa.Schema:
    """The common types, except that what is an integer in `schema` stays what it is there."""
    kinds = [schema.field(field.name).type for field in common]
    return pa.schema(
        [
            field.with_type(kind) if pa.types.is_integer(kind) else field
            for field, kind in zip(common, kinds, strict=True)
        ]
    )


def _without_dictionaries(schema: pa.Schema) -> pa.Schema:
    def plain(kind: Any) -> Any:
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    return pa.schema([(field.name, plain(field.type)) for field in schema])


def _is_number_or_time(kind: Any) -> bool:
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return numbers or pa.types.is_temporal(kind)


def _parquet_pieces(
    paths: list[Path], roles: dict[str, str], schemas: list[pa.Schema], size: int
) -> Iterator[dict[str, Any]]:
    """The columns of about `size` rows at a time, or fewer before a file of another schema."""
    batches: list[Any] = []
    rows = 0
    for path, schema in zip(paths, schemas, strict=True):
        if batches and batches[0].schema != schema:
            yield _by_role(batches, roles)
            batches, rows = [], 0
        for batch in _parquet_batches(path, list(roles.values()), size):
            batches.append(_cast(batch, schema, path))
            rows += len(batch)
            if rows >= size:
                yield _by_role(batches, roles)
                batches, rows = [], 0
    if batches:
        yield _by_role(batches, roles)
    batches.clear()
    pa.default_memory_pool().release_unused()


def _parquet_batches(path: Path, names: list[str], size: int) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=size, columns=names):
                yield batch.select(names)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _unreadable(path, error) from None


def _cast(batch: Any, schema: pa.Schema, path: Path) -> Any:
    columns = []
    for field, column in zip(schema, batch.columns, strict=True):
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowException as error:
            raise DataError(
                f"{path}: column {field.name!r} holds {column.type} that does not fit "
                f"{field.type}, the type of all files together: {error}"
            ) from None
    return pa.table(columns, schema=schema)


def _by_role(batches: list[Any], roles: dict[str, str]) -> dict[str, Any]:
    table = pa.concat_tables(batches)
    return {role: table.column(name) for role, name in roles.items()}


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"cannot read {path} as Parquet: {reason}")


def _arrow_column(frame: Any, name: str, where: Where) -> Any:
    try:
        column = frame.select(name).to_arrow().column(0)
    except UnicodeEncodeError as error:
        row = frame[name].to_list().index(error.object)
        raise DataError(f"{where(row)}: column {name!r} is no valid Unicode: {error}") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        values = frame[name].to_list()
        if _fits(values):  # one by one; it is their type that does not
            raise _no_place(name, error, where) from None
        # Types mix with those before them, so a value is tried behind all of them.
        row = first_misfit(len(values), lambda _, stop: _fits(values[:stop]))
        raise DataError(
            f"{where(row)}: column {name!r} has {shown(values[row])}, and mixes types or holds "
            f"what Arrow cannot: {error}"
        ) from None
    except (pa.ArrowNotImplementedError, TypeError) as error:
        raise _no_place(name, error, where) from None
    if frame[name].dtype == nw.Object and pa.types.is_timestamp(column.type):
        times = frame[name].to_list()
        _refuse_mixed_zones(times, column, name, where)
        column = _in_nanoseconds(times, column, name, where)
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _no_place(name: str, error: Exception, where: Where) -> DataError:
    said = error.args[0]
    return DataError(f"{where(0)}: column {name!r} is of a type without a place in Arrow: {said}")


def _in_nanoseconds(times: list[Any], column: Any, name: str, where: Where) -> Any:
    """The column, with the nanoseconds of pandas' times, of which Arrow keeps the microseconds."""
    fine = [row for row, time in enumerate(times) if getattr(time, "nanosecond", 0)]
    if not fine:
        return column
    try:
        return pa.array(times, pa.timestamp("ns", column.type.tz), from_pandas=True)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{where(fine[0])}: column {name!r} has nanoseconds, and times that are too far from "
            f"1970 to be counted in them: {error}"
        ) from None


def _refuse_mixed_zones(times: list[Any], column: Any, name: str, where: Where) -> None:
    """Raises DataError for times with a zone beside ones without: Arrow takes those for UTC."""
    known = [row for row, known in enumerate(column.is_valid().to_pylist()) if known]
    for row in known:
        if (times[row].tzinfo is None) != (times[known[0]].tzinfo is None):
            raise DataError(
                f"{where(row)}: column {name!r} mixes times that have a zone and times that have "
                "none: give all of them one, or none"
            )


def _fits(values: list[Any]) -> bool:
    try:
        pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return False
    return True
