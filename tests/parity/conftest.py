"""What all parity tests share: the same call under pools of different sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from seqrec import _core

Call = Callable[[], Sequence[NDArray[np.generic]]]


@pytest.fixture
def same_bytes() -> Iterator[Callable[[Call], bool]]:
    """A check that a call gives the same bytes for 1, 2 and 4 threads."""
    before = _core.threads()

    def bytes_of(call: Call, threads: int) -> list[bytes]:
        _core.set_threads(threads)
        return [array.tobytes() for array in call()]

    yield lambda call: bytes_of(call, 1) == bytes_of(call, 2) == bytes_of(call, 4)
    _core.set_threads(before)
