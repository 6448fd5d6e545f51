"""A job, and the ways to do it that are timed beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.bench import jit


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one unit has to move at least, however it is done: the bytes and draws of a floor.

    Attributes:
        reads: bytes read.
        writes: bytes written.
        draws: bounded random numbers.
        resident: bytes that are gone through again and again; tells which cache they lie in.
    """

    reads: float = 0
    writes: float = 0
    draws: float = 0
    resident: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to do a job.

    Attributes:
        name: in tables; "seqrec" is what the others are compared with.
        call: does `units` of work; its argument is a seed that no call before it had.
        package: whose version is told.
        units: of the job's unit, in one call.
        note: what a reader must know.
        processes: worker processes beside this one.
        drain: calls before a sample that only take what worker processes had made ahead.
        close: ends worker processes.
    """

    name: str
    call: Callable[[int], Any]
    package: str = "numpy"
    units: float = 1.0
    note: str = ""
    processes: int = 0
    drain: int = 0
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Some work, with everybody who does it.

    Attributes:
        name: as in `--job`.
        unit: of the rates.
        contenders: "seqrec" among them.
        fault: what is wrong with what a contender computes; None if nothing is.
        case: which variant; "" where there is one only.
        work: what a unit has to move at least; None where nobody knows.
        absent: who cannot take part here, and why.
    """

    name: str
    unit: str
    contenders: list[Contender]
    fault: Callable[[Contender], str | None]
    case: str = ""
    work: Work | None = None
    absent: dict[str, str] = field(default_factory=dict)


class Lineup:
    """Collects who takes part in a job, and who cannot.

    Attributes:
        made: the contenders.
        absent: names, and why.
    """

    def __init__(self, *contenders: Contender) -> None:
        self.made = list(contenders)
        self.absent: dict[str, str] = {}

    def add(self, name: str, why_not: str | None, make: Callable[[], Contender]) -> None:
        """Makes a contender, or notes why it is absent."""
        if why_not is None:
            self.made.append(make())
        else:
            self.absent[name] = why_not


def outputs(contender: Contender, seeds: Iterable[int]) -> list[list[NDArray[Any]]]:
    """What calls give, copied at once: most contenders fill the same arrays again and again."""
    return [[np.asarray(found).copy() for found in contender.call(seed)] for seed in seeds]


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Within it seqrec, torch and numba compute with so many threads.

    polars takes its number when it is imported, duckdb with each connection.
    """
    before = _core.threads(), torch.get_num_threads(), jit.threads()
    try:
        _core.set_threads(threads)
        torch.set_num_threads(threads)
        jit.set_threads(threads)
        yield
    finally:
        _core.set_threads(before[0])
        torch.set_num_threads(before[1])
        jit.set_threads(before[2])
