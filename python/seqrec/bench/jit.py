"""numba, if it is there: the compiled contenders are plain Python functions without it.

Their random numbers are SplitMix64, one call of `mix` each: faster than numba's own generator,
which is a Mersenne Twister, and good enough for masks and negatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import numba
except ImportError:
    numba = None

prange: Any = range if numba is None else numba.prange

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
HALF = np.uint64(32)
_30, _27, _31 = (np.uint64(bits) for bits in (30, 27, 31))
_LOW = np.uint64(0xFFFFFFFF)


def why_not() -> str | None:
    """Why nothing can be compiled; None if it can."""
    return "numba is not installed: pip install 'seqrec[bench]'" if numba is None else None


def parallel(function: Callable[..., Any]) -> Any:
    """The function, compiled with its `prange` loops in parallel; its code is kept on disk."""
    return function if numba is None else numba.njit(parallel=True, cache=True)(function)


def serial(function: Callable[..., Any]) -> Any:
    """The function, compiled for one thread."""
    return function if numba is None else numba.njit(cache=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """The function, compiled into those that call it."""
    return function if numba is None else numba.njit(inline="always")(function)


def threads() -> int:
    """How many threads parallel loops use."""
    return 1 if numba is None else numba.get_num_threads()


def set_threads(n: int) -> None:
    """Lets parallel loops use n threads, or all that there are if those are fewer."""
    if numba is not None:
        numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


@inlined
def mix(state: Any) -> Any:
    """64 random bits of a state that is stepped by GOLDEN."""
    z = (state ^ (state >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@inlined
def below(bits: Any, n: Any) -> Any:
    """A number in 0..n from the upper 32 of 64 random bits; n is a uint64 below 2**32."""
    return ((bits >> HALF) * n) >> HALF


@inlined
def low(bits: Any) -> Any:
    """The lower 32 of 64 random bits."""
    return bits & _LOW
