"""From the columns of any table to codes, times and ratings: the one path that all readers share.

Ids are integers of the int64 range or strings, and never pass through floats. What cannot be used
is an error that names the source, the row (or line), the column and the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Arrow imports it with the first array that it hands over, and what a signal raises meanwhile is
# lost in there: the command would go on.
import pandas  # noqa: F401
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seqrec import _core
from seqrec.data.arrays import look_up
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError

Where = Callable[[int], str]  # 0-based row -> "events.csv, line 7" or "data frame, row 5"

FLOATS_SKIP = 2.0**53  # from here on there are integers that no float64 is

_INTEGER_TEXT = r"^(0|-?[1-9][0-9]*)$"  # "007" and "+7" are other texts than "7"


def encode_ids(column: Any, name: str, where: Where) -> tuple[NDArray[np.int32], Vocabulary]:
    """(codes, vocabulary) of a column of raw ids: codes int32 [E] are places in id order.

    Args:
        column: an Arrow chunked array of integers or strings, dictionary-encoded or not.
        name: of the column, for errors.
        where: names a row, for errors.

    Raises:
        DataError: for nulls, floats and other types, integers beyond int64.
    """
    column = _decoded_type(column)
    is_dictionary = pa.types.is_dictionary(column.type)
    kind = column.type.value_type if is_dictionary else column.type
    _check_id_type(column, kind, name, where)
    _check_no_nulls(column, name, where)
    if is_dictionary:
        return _encode_dictionary(column, kind, name, where)
    if pa.types.is_integer(kind):
        return _encode_integers(_as_int64(column, None, name, where))
    return _encode_strings(column)


def merge_vocabularies(
    codes: NDArray[np.int32], pieces: list[tuple[int, Vocabulary]], name: str
) -> Vocabulary:
    """The vocabulary of a column whose pieces were encoded one by one; codes become its own.

    Args:
        codes: int32 [E], written in place unless there is one piece.
        pieces: how many rows each has, and the vocabulary of its codes; emptied.
        name: of the column, for errors.

    Raises:
        DataError: if some pieces hold integers and others strings.
    """
    if len(pieces) == 1:
        return pieces.pop()[1]
    if len({vocabulary.ids.type for _, vocabulary in pieces}) > 1:
        raise DataError(f"column {name!r} holds integers in one place and strings in another")
    lengths = [(rows, len(vocabulary)) for rows, vocabulary in pieces]
    ids = pa.chunked_array([vocabulary.ids for _, vocabulary in pieces])
    pieces.clear()
    encode = _encode_integers if pa.types.is_int64(ids.type) else _encode_strings
    places, merged = encode(ids)
    start = first = 0
    for rows, n_ids in lengths:
        look_up(places[first : first + n_ids], codes[start : start + rows])
        start, first = start + rows, first + n_ids
    return merged


def encode_texts(column: Any, name: str, where: Where) -> tuple[NDArray[np.int32], Vocabulary]:
    """As `encode_ids` for text from a file without types: all canonical integers, or all strings.

    A single "007", "1.0" or "abc" makes the whole column strings, kept as they are; so does an
    integer beyond int64. An empty field is a missing id.
    """
    column = column.unify_dictionaries()
    values = column.chunk(0).dictionary
    empty = pc.call_function("equal", [values, ""]).to_numpy(zero_copy_only=False)
    if empty.any():
        places = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
        row = int(np.flatnonzero(places == int(empty.argmax()))[0])
        n_empty = int(np.count_nonzero(empty[places]))
        raise DataError(f"{where(row)}: column {name!r} is empty{_leave_out(n_empty)}")
    matches = pc.match_substring_regex(values, _INTEGER_TEXT)  # type: ignore[attr-defined]
    if pc.call_function("all", [matches]).as_py():
        try:
            integers = values.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
        else:
            chunks = [pa.DictionaryArray.from_arrays(c.indices, integers) for c in column.chunks]
            column = pa.chunked_array(chunks)
    return encode_ids(column, name, where)


def read_times(column: Any, name: str, where: Where) -> NDArray[np.int64]:
    """The times of a column as int64 [E]; datetimes as integers of their own unit.

    Text is read as integers, else as integral floats, else as ISO dates (microseconds).

    Raises:
        DataError: for nulls, other types, fractions, values beyond int64: names the first row.
    """
    column = _decoded_type(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    _check_no_nulls(column, name, where)
    if _is_text(column.type):
        column = _parse_times(column, name, where)
    kind = column.type
    if pa.types.is_integer(kind):
        return _as_numpy(_as_int64(column, None, name, where))
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        return _as_numpy(column.cast(pa.int64()))
    if pa.types.is_date32(kind):
        return column.cast(pa.int32()).to_numpy().astype(np.int64)
    if pa.types.is_floating(kind):
        return _integral(column.to_numpy(), name, where)
    raise DataError(f"{where(0)}: column {name!r} has type {kind}; times are integers or datetimes")


def read_ratings(column: Any, name: str, where: Where) -> NDArray[np.float32]:
    """The ratings of a column as float32 [E]; a missing rating is NaN.

    Raises:
        DataError: for what is no number: names the first row.
    """
    column = _decoded_type(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        column = pc.call_function(
            "if_else", [pc.call_function("equal", [column, ""]), None, column]
        )
    try:
        return column.cast(pa.float32(), safe=False).to_numpy().astype(np.float32)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = _first_failure(column, pa.float32())
        value = column[row].as_py()
        raise DataError(f"{where(row)}: column {name!r} has {shown(value)}, no number") from None


def _encode_dictionary(
    column: Any, kind: Any, name: str, where: Where
) -> tuple[NDArray[np.int32], Vocabulary]:
    column = column.unify_dictionaries()
    places = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    values = pa.chunked_array([column.chunk(0).dictionary])
    if pa.types.is_integer(kind):
        codes, vocabulary = _encode_integers(_as_int64(values, places, name, where))
    else:
        codes, vocabulary = _encode_strings(values)
    return _used(codes[places], vocabulary)


def _encode_integers(column: Any) -> tuple[NDArray[np.int32], Vocabulary]:
    codes, ids = _core.encode_integers(_as_numpy(column))
    return codes, Vocabulary.from_integers(ids)


def _encode_strings(column: Any) -> tuple[NDArray[np.int32], Vocabulary]:
    column = column.cast(pa.large_string()).combine_chunks()
    strings = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    _, offsets, data = strings.buffers()
    places = np.frombuffer(offsets, dtype=np.int64) if offsets else np.zeros(1, dtype=np.int64)
    places = places[strings.offset : strings.offset + len(strings) + 1]
    codes, places, data = _core.encode_strings(places, np.frombuffer(data or b"", dtype=np.uint8))
    return codes, Vocabulary.from_strings(places, data)


def _as_numpy(column: Any) -> NDArray[Any]:
    """The numbers of a chunked array without nulls; those of a single chunk are not copied."""
    chunks = [chunk.to_numpy() for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, np.int64), *chunks])


def _used(codes: NDArray[np.int32], vocabulary: Vocabulary) -> tuple[NDArray[np.int32], Vocabulary]:
    """Leaves out ids that a dictionary lists but no row has (unused categories)."""
    used = np.bincount(codes, minlength=len(vocabulary)) > 0
    if used.all():
        return codes, vocabulary
    places = np.cumsum(used, dtype=np.int32) - 1
    return places[codes], vocabulary.subset(np.flatnonzero(used))


def _decoded_type(column: Any) -> Any:
    """The column with views as plain large strings, and extension types as what they store."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    return column.cast(pa.large_string()) if column.type == pa.string_view() else column


def _check_id_type(column: Any, kind: Any, name: str, where: Where) -> None:
    if pa.types.is_integer(kind) or _is_text(kind):
        return
    if pa.types.is_null(kind):
        raise DataError(f"{where(0)}: column {name!r} is null, as in every row")
    if pa.types.is_floating(kind):
        _check_no_nulls(column, name, where)  # pandas makes integers with nulls floats
        raise DataError(
            f"{where(0)}: column {name!r} holds floats ({shown(column[0].as_py())}); floats lose "
            "digits of ids: make it integers or strings at its source"
        )
    raise DataError(
        f"{where(0)}: column {name!r} has type {kind}; ids are integers or strings: cast it"
    )


def _check_no_nulls(column: Any, name: str, where: Where) -> None:
    kind = column.type
    if not (column.null_count or pa.types.is_dictionary(kind) or pa.types.is_floating(kind)):
        return
    if pa.types.is_dictionary(column.type) and any(c.dictionary.null_count for c in column.chunks):
        # Arrow before 25 sees the nulls of the rows but not those of the values they point to.
        column = column.cast(column.type.value_type)
    missing = pc.call_function("is_null", [column])
    if pa.types.is_floating(kind):
        missing = pc.call_function(
            "or", [missing, pc.call_function("is_nan", [column]).fill_null(True)]
        )
    row = pc.call_function("index", [missing], pc.IndexOptions(pa.scalar(True))).as_py()  # type: ignore[attr-defined]
    if row >= 0:
        n_null = pc.call_function("sum", [missing]).as_py()
        raise DataError(f"{where(row)}: column {name!r} is null{_leave_out(n_null)}")


def _leave_out(n_rows: int) -> str:
    """What to do about rows that lack a value, none of which is skipped without a word."""
    more = f" and {n_rows - 1:,} more" if n_rows > 1 else ""
    return f"; leave this row{more} out of the log, or fill in what is missing"


def _as_int64(values: Any, places: NDArray[np.integer] | None, name: str, where: Where) -> Any:
    """Integers as int64; `places` tells where the values of a dictionary stand in the rows."""
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        beyond = pc.call_function("greater", [values, pa.scalar(2**63 - 1, values.type)])
        first = int(beyond.to_numpy(zero_copy_only=False).argmax())
        row = first if places is None else int(np.flatnonzero(places == first)[0])
        raise DataError(
            f"{where(row)}: column {name!r} has {values[first].as_py()}, beyond the largest "
            "64-bit integer 9223372036854775807: read the column as text"
        ) from None


def _parse_times(column: Any, name: str, where: Where) -> Any:
    """Text as the first of integers, floats, dates and dates with a zone that fits every row."""
    dates = [pa.timestamp(unit, zone) for unit in ("us", "ns") for zone in (None, "UTC")]
    hexadecimal = pc.match_substring(column, "x", ignore_case=True)  # type: ignore[attr-defined]
    readings = [pa.int64(), pa.float64(), *dates]
    if pc.call_function("any", [hexadecimal]).as_py():
        readings = readings[1:]  # Arrow reads 0x10 as 16
    for kind in readings:
        try:
            times = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        if pa.types.is_floating(kind):
            _refuse_lost_digits(column, times, name, where)
        return times
    # What the first row is, all rows should be: the first one that is not gets the blame.
    first = next((k for k in readings if _casts(column.slice(0, 1), k)), None)
    row = 0 if first is None else _first_failure(column, first)
    value = column[row].as_py()
    if value == "":
        raise DataError(f"{where(row)}: column {name!r} is empty")
    raise DataError(
        f"{where(row)}: column {name!r} has {shown(value)}; times are 64-bit integers or ISO "
        + ("dates" if first is None else f"dates, and the first row reads as {first}")
    )


def _refuse_lost_digits(column: Any, times: Any, name: str, where: Where) -> None:
    """One time that is written as a float makes floats of all, which large integers are not."""
    values = times.to_numpy()
    if (np.isfinite(values) & (np.abs(values) >= FLOATS_SKIP)).any():
        row = _first_failure(column, pa.int64())
        raise DataError(
            f"{where(row)}: column {name!r} has {shown(column[row].as_py())}, and as floats other "
            "times of the column would lose digits: write it as an integer"
        )


def _integral(floats: NDArray[np.floating], name: str, where: Where) -> NDArray[np.int64]:
    digits = np.finfo(floats.dtype).nmant + 1  # from 2^digits on there are integers that none is
    values = floats.astype(np.float64)
    # NaN fails every comparison.
    right = (np.abs(values) < 2.0**digits) & (np.floor(values) == values)
    if not right.all():
        row = int((~right).argmax())
        if abs(values[row]) >= 2.0**digits and np.isfinite(values[row]):
            raise DataError(
                f"{where(row)}: column {name!r} has {values[row]}, a float beyond 2^{digits}, "
                "where its floats skip integers: make the column integers at its source"
            )
        hint = ": scale the column to a finer unit" if np.isfinite(values[row]) else ""
        raise DataError(
            f"{where(row)}: column {name!r} has {values[row]}, no integer; times are integers{hint}"
        )
    return values.astype(np.int64)


def _first_failure(column: Any, kind: Any) -> int:
    """The first row that does not cast: O(E) in all."""
    return first_misfit(len(column), lambda low, high: _casts(column.slice(low, high - low), kind))


def first_misfit(n_rows: int, fit: Callable[[int, int], bool]) -> int:
    """The first row that does not fit, by halving; `fit(low, high)`: whether those rows do."""
    low, high = 0, n_rows
    while high - low > 1:
        middle = (low + high) // 2
        if fit(low, middle):
            low = middle
        else:
            high = middle
    return low


def _casts(column: Any, kind: Any) -> bool:
    try:
        column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _is_text(kind: Any) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def shown(value: object) -> str:
    """A value as errors show it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
