"""The check of arrays that people hand in: kernels borrow memory and convert nothing."""

from __future__ import annotations

import numpy as np

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
    if not isinstance(array, np.ndarray):
        raise DataError(f"{wanted}, not {type(array)}")
    if array.ndim != 1 or array.dtype != np.dtype(dtype):
        raise DataError(f"{wanted}, not {array.dtype} {array.shape}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise DataError(f"{wanted} without gaps: use numpy.ascontiguousarray")
