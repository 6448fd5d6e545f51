"""Histories in one array: user u owns items[starts[u]:stops[u]]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def store(
    histories: Sequence[Sequence[int]],
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """(items, starts, stops) of histories end to end."""
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    stops = np.cumsum(lengths, dtype=np.int64)
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    return items, stops - lengths, stops
