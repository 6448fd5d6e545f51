"""Raw ids in their order: integers numerically, strings by their UTF-8 bytes.

A code is the 0-based place of a raw id in that order, so codes never depend on who came first or
who is popular. The ids are one Arrow array (int64, or large_string: offsets and bytes), which can
lie on a memory-mapped file. Ids never pass through floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seqrec.errors import DataError

UNKNOWN = -1  # the code of an id that the vocabulary does not hold
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """All distinct raw ids, ascending; the code of an id is its 0-based place.

    Attributes:
        ids: an Arrow array without nulls, int64 or large_string.
    """

    ids: Any  # pa.Int64Array | pa.LargeStringArray

    @classmethod
    def from_integers(cls, ids: NDArray[np.int64]) -> Vocabulary:
        """The vocabulary of ascending distinct integers: int64 [n], not copied."""
        ids = np.ascontiguousarray(ids, dtype=np.int64)
        return cls(pa.Array.from_buffers(pa.int64(), len(ids), [None, pa.py_buffer(ids)]))

    @classmethod
    def from_strings(cls, offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> Vocabulary:
        """The vocabulary of strings data[offsets[i]:offsets[i+1]] in ascending byte order.

        Args:
            offsets: int64 [n + 1].
            data: uint8, valid UTF-8; neither array is copied.

        Raises:
            DataError: if the offsets or the bytes are no strings.
        """
        buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, dtype=np.int64)),
                   pa.py_buffer(np.ascontiguousarray(data, dtype=np.uint8))]  # fmt: skip
        ids = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
        try:
            ids.validate(full=True)
        except pa.ArrowInvalid as error:
            raise DataError(f"vocabulary: not an array of strings: {error}") from None
        return cls(ids)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_integer(self) -> bool:
        """Whether the raw ids are integers (else they are strings)."""
        return pa.types.is_int64(self.ids.type)

    def decode(self, codes: NDArray[np.integer]) -> NDArray[Any]:
        """The raw ids of 0-based codes: int64, or object holding str, of the shape of `codes`.

        Raises:
            DataError: for a code outside 0..len.
        """
        codes = np.asarray(codes, dtype=np.int64)
        wrong = (codes < 0) | (codes >= len(self))
        if wrong.any():
            raise DataError(f"code {codes[wrong][0]} is outside 0..{len(self)} of the vocabulary")
        flat = self.arrow(codes.ravel()).to_numpy(zero_copy_only=False)
        return flat.reshape(codes.shape)

    def shown(self, code: int | np.integer) -> str:
        """How a message names the id of a code: strings in quotes."""
        return repr(self.decode(np.array([code])).tolist()[0])

    def arrow(self, codes: NDArray[np.integer]) -> Any:
        """The raw ids of 0-based codes as an Arrow array, for Parquet files."""
        return self.ids.take(pa.array(codes, type=pa.int64()))

    def encode(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.int32]:
        """The codes of raw ids: int32 [len(values)], -1 for an id that is not here.

        Raises:
            DataError: if the values are of the other kind (integers here, strings there) or floats.
        """
        wanted = self._same_kind(list(values))
        found = self._first_not_below(wanted)
        inside = np.minimum(found, max(len(self) - 1, 0))
        if len(self) == 0:
            return np.full(len(found), UNKNOWN, dtype=np.int32)
        equal = pc.call_function("equal", [self.arrow(inside), wanted]).to_numpy(
            zero_copy_only=False
        )
        known = (found < len(self)) & equal.astype(bool)
        return np.where(known, found, UNKNOWN).astype(np.int32)

    def encode_known(self, values: Sequence[Any], unknown: str) -> NDArray[np.int32]:
        """The codes of raw ids that all have to be here: int32 [len(values)].

        Args:
            values: raw ids.
            unknown: what the error says of the first that is not here, whose id replaces `{}`.

        Raises:
            DataError: if one is not here, or as `encode`.
        """
        codes = self.encode(values)
        if (codes == UNKNOWN).any():
            missing = values[int((codes == UNKNOWN).argmax())]
            raise DataError(unknown.format(repr(missing)))
        return codes

    def texts(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """(offsets int64 [n + 1], bytes uint8): all ids as text, decimal or UTF-8."""
        _, offsets, data = self.ids.cast(pa.large_string()).buffers()
        places = np.frombuffer(offsets, dtype=np.int64)[: len(self) + 1] if offsets else np.zeros(1)
        places = places.astype(np.int64, copy=False)
        return places, np.frombuffer(data or b"", dtype=np.uint8)[: places[-1]]

    def subset(self, codes: NDArray[np.integer]) -> Vocabulary:
        """The vocabulary of the ids of ascending codes."""
        return Vocabulary(self.arrow(codes))

    def save(self, folder: Path, name: str) -> None:
        """Writes `name.npy` (integers), or `name.offsets.npy` and `name.bytes.npy` (strings)."""
        if self.is_integer:
            np.save(folder / f"{name}.npy", self.ids.to_numpy(), allow_pickle=False)
            return
        offsets, data = self.texts()
        np.save(folder / f"{name}.offsets.npy", offsets, allow_pickle=False)
        np.save(folder / f"{name}.bytes.npy", data, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, name: str, mmap: bool = True) -> Vocabulary:
        """What `save` wrote, memory-mapped unless `mmap` is false.

        Raises:
            DataError: if a file is missing or is no array; names the file.
        """
        if (folder / f"{name}.npy").exists():
            return cls.from_integers(load_array(folder / f"{name}.npy", np.dtype(np.int64), mmap))
        offsets = load_array(folder / f"{name}.offsets.npy", np.dtype(np.int64), mmap)
        data = load_array(folder / f"{name}.bytes.npy", np.dtype(np.uint8), mmap)
        if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(data):
            raise DataError(f"{folder / name}.offsets.npy does not fit {name}.bytes.npy")
        return cls.from_strings(offsets, data)

    def _same_kind(self, values: list[Any]) -> Any:
        """The values as an Arrow array of the type of the ids.

        What no id can be is null: an integer beyond int64, text that is no valid Unicode.
        """
        kind = int | np.integer if self.is_integer else str
        for place, value in enumerate(values):
            if not isinstance(value, kind) or isinstance(value, bool):
                raise DataError(
                    f"id {value!r} (place {place}) is {type(value).__name__}, but the raw ids of "
                    f"this data are {'integers' if self.is_integer else 'strings'}"
                )
        if self.is_integer:
            values = [v if _INT64.min <= v <= _INT64.max else None for v in values]
        elif any(map(_has_surrogate, values)):
            values = [None if _has_surrogate(v) else v for v in values]
        return pa.array(values, type=self.ids.type)

    def _first_not_below(self, wanted: Any) -> NDArray[np.int64]:
        """Binary search of all values at once: the first place whose id is not below the value.

        O(len(wanted) log n) without a table of the whole vocabulary: serving looks up few ids.
        """
        low = np.zeros(len(wanted), dtype=np.int64)
        high = np.full(len(wanted), len(self), dtype=np.int64)
        while (open_ := low < high).any():
            middle = np.where(open_, (low + high) // 2, 0)
            below = pc.call_function("less", [self.arrow(middle), wanted]).fill_null(False)
            below = below.to_numpy(zero_copy_only=False).astype(bool)
            low = np.where(open_ & below, middle + 1, low)
            high = np.where(open_ & ~below, middle, high)
        return low


def _has_surrogate(text: str) -> bool:
    """Whether half a character stands alone in a text, as JSON can have it, and UTF-8 cannot."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def load_array(path: Path, dtype: np.dtype, mmap: bool) -> NDArray[Any]:
    """The one-dimensional array of a .npy file, read-only, never unpickled.

    Raises:
        DataError: if the file is missing, no .npy file, or of another shape or type.
    """
    try:
        array = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != dtype:
        raise DataError(f"{path} holds no one-dimensional {dtype} array")
    array.flags.writeable = False
    return array
