"""Arrays as kernels borrow them, and counts of long ones without a long copy.

NumPy makes 64-bit integers of whatever counts or indexes, 8 bytes for each element, so what runs
over all events of a log does it in pieces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.errors import DataError


def check_array(what: str, name: str, array: object, dtype: type[np.generic]) -> None:
    """Raises DataError unless `array` is a column of this type whose memory a kernel can read.

    Args:
        what: whose array it is, for the error.
        name: of the array, for the error.
        array: what was handed in.
        dtype: what it has to hold.
    """
    wanted = f"{what}: {name} must be a one-dimensional {np.dtype(dtype)} array"
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise DataError(f"{wanted}, not {type(array)}")
    if array.ndim != 1 or array.dtype != np.dtype(dtype):
        raise DataError(f"{wanted}, not {array.dtype} {array.shape}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise DataError(f"{wanted} without gaps: use numpy.ascontiguousarray")


_PIECE = 1 << 20  # elements at a time


def count_codes(codes: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    """How often each of 0..n - 1 occurs: int64 [n]."""
    counts = np.zeros(n, dtype=np.int64)
    for start in range(0, len(codes), _PIECE):
        counts += np.bincount(codes[start : start + _PIECE], minlength=n)
    return counts


def look_up(table: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Puts table[codes] in the place of the codes, and returns them."""
    for start in range(0, len(codes), _PIECE):
        piece = slice(start, start + _PIECE)
        codes[piece] = table[codes[piece]]
    return codes


def compress(array: NDArray[Any], keep: NDArray[np.bool_]) -> NDArray[Any]:
    """array[keep], moved to the front of the same memory unless most of it goes."""
    kept = int(np.count_nonzero(keep))
    if kept < len(array) // 2:
        return array[keep]
    stop = 0
    for start in range(0, len(array), _PIECE):
        piece = slice(start, start + _PIECE)
        moved = array[piece][keep[piece]]
        array[stop : stop + len(moved)] = moved
        stop += len(moved)
    return array[:kept]


class Joined:
    """Pieces of a column as one array, written as they come; a whole column is not copied."""

    def __init__(self, length: int) -> None:
        self.array: NDArray[Any] = np.empty(0)
        self._length, self._filled = length, 0

    def add(self, piece: NDArray[Any]) -> None:
        """Puts a piece behind those before it."""
        if len(piece) == self._length:
            self.array = piece
            return
        if self._filled == 0:
            self.array = np.empty(self._length, dtype=piece.dtype)
        self.array[self._filled : self._filled + len(piece)] = piece
        self._filled += len(piece)
