"""How fast plain loops are here, and so how long a job must take at least.

The program benches/rust/limits.rs measures this machine; without its file no figure is shown as a
share of the limit. For each number of threads the file has read, copy and fill
bandwidths (GB/s) of arrays that lie in the L2, the L3 and the memory, and bounded random numbers
(G/s) drawn into an array. Which of them a job is held against depends on the bytes that it goes
through again and again, and on the caches of this machine.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from seqrec.bench import machine
from seqrec.bench.contender import Work
from seqrec.errors import DataError
from seqrec.files import read_json

LEVELS = ("L2", "L3", "RAM")
FIGURES = tuple(f"{kind} {level}" for kind in ("read", "copy", "fill") for level in LEVELS)


def read_limits(path: Path) -> dict[str, Any]:
    """What the program `limits` has written.

    Raises:
        DataError: if it is something else; names the file and what is missing.
    """
    document = read_json(path, DataError)
    if not isinstance(document, dict) or not isinstance(document.get("threads"), dict):
        raise DataError(f"{path} is no file of limits: it has no table 'threads'")
    for threads, table in document["threads"].items():
        for name in (*FIGURES, "draws"):
            if not isinstance(table, dict) or name not in table:
                raise DataError(f"{path}: threads {threads!r} lacks {name!r}")
            value = table[name]
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise DataError(
                    f"{path}: {name!r} of threads {threads!r} is {value!r}: it must be a number "
                    "above 0"
                )
    return document


def floor_seconds(work: Work | None, limits: dict[str, Any], threads: int) -> float | None:
    """The least time for one unit: bytes read and written and draws, none beside another.

    None where the work or the limits for so many threads are not known.
    """
    table = limits.get("threads", {}).get(str(threads))
    if work is None or table is None:
        return None
    level = level_of(work.resident, threads, machine.caches())
    reading = work.reads / (table[f"read {level}"] * 1e9)
    writing = work.writes / (table[f"fill {level}"] * 1e9)
    return reading + writing + work.draws / (table["draws"] * 1e9)


def level_of(resident: float, threads: int, caches: dict[str, int]) -> str:
    """The nearest level that holds so many bytes: each thread has an L2 of its own."""
    if resident <= threads * caches.get("L2", 1 << 20):
        return "L2"
    return "L3" if resident <= caches.get("L3", 32 << 20) else "RAM"
