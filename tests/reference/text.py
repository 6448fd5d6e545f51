"""Byte strings in one buffer: string i is data[offsets[i]:offsets[i + 1]]."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def pack(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(offsets, data) of UTF-8 strings."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8)


def unpack(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> list[str]:
    """The strings again."""
    whole = data.tobytes()
    return [whole[start:stop].decode() for start, stop in pairwise(offsets)]
