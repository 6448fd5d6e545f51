"""numba's part of ingestion: codes of 64-bit ids by a hash table, and a counting sort by user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.bench import jit
from seqrec.bench.jit import prange

FREE = np.int32(-1)


def codes_of_integers(ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(codes, distinct ids) in the order of first appearance."""
    codes = np.empty(len(ids), dtype=np.int32)
    size = 1 << 12
    while True:
        table = np.full(size, FREE)
        distinct = np.empty(size // 2, dtype=np.int64)
        n = encode(ids, codes, table, distinct)
        if n >= 0:
            return codes, distinct[:n]
        size *= 8  # more than half full: begin again with a larger table


def order_by_user(
    users: NDArray[np.int32], items: NDArray[np.int32], times: NDArray[np.int64], n_users: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(offsets, items) user by user, by time and then by row."""
    offsets = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=n_users), out=offsets[1:])
    rows = np.empty(len(users), dtype=np.int64)
    scatter(users, offsets[:-1].copy(), rows)
    ordered = np.empty(len(users), dtype=np.int32)
    sort_users(offsets, rows, times, items, ordered)
    return offsets, ordered


@jit.serial
def encode(ids: Any, codes: Any, table: Any, distinct: Any) -> int:
    """Open addressing with linear steps; -1 if `distinct` is too short."""
    mask = np.uint64(len(table) - 1)
    one = np.uint64(1)
    n = 0
    for row in range(len(ids)):
        raw = ids[row]
        slot = jit.mix(np.uint64(raw)) & mask
        while True:
            code = table[slot]
            if code == -1:
                if n == len(distinct):
                    return -1
                table[slot] = n
                distinct[n] = raw
                codes[row] = n
                n += 1
                break
            if distinct[code] == raw:
                codes[row] = code
                break
            slot = (slot + one) & mask
    return n


@jit.serial
def scatter(users: Any, places: Any, rows: Any) -> None:
    """The rows of each user, in order; `places` is where each begins, and is used up."""
    for row in range(len(users)):
        user = users[row]
        rows[places[user]] = row
        places[user] += 1


@jit.parallel
def sort_users(offsets: Any, rows: Any, times: Any, items: Any, ordered: Any) -> None:
    """Each user's rows by time, stable; those that are in order already are left alone."""
    for user in prange(len(offsets) - 1):
        own = rows[offsets[user] : offsets[user + 1]]
        moments = times[own]
        if np.any(moments[1:] < moments[:-1]):
            own = own[np.argsort(moments, kind="mergesort")]
        ordered[offsets[user] : offsets[user + 1]] = items[own]
