"""The worker's side: what a peer's process is given, what it offers, and how it is asked.

This file runs in every peer's environment, so it needs NumPy alone. A process does one case; the
driver (`run.py`) writes one JSON object a line to its input and reads one a line from its output:

    {"ask": "open", "folder": ..., "job": "negatives", "case": "n=100", "threads": 2}
        -> {"contenders": [{"name": ..., "fault": null, ...}, ...]}
    {"ask": "round", "contender": 0, "seed": 1000} -> {"rate": 123.4}
    {"ask": "learn", "folder": ..., "case": "bert4rec", "threads": 1, "minutes": 15, ...}
        -> {"curves": [{"name": ..., "points": ...}, ...]}

So rounds of different processes interleave, and all others sleep in a read meanwhile. What a
library prints goes to the standard error stream.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from learning import Learner, learned
from problem import Problem

SAMPLE_SECONDS = 0.06  # as in seqrec.bench.timing
WARM_SHARE = 0.15
REST_SECONDS = 0.1
WARM_STEPS, TRAIN_STEPS = 2, 6
HIDDEN, LAYERS, HEADS, DROPOUT = 64, 2, 2, 0.1  # of every model that is trained


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to do a job; as in `seqrec.bench`, but `check` is its own.

    Attributes:
        name: in tables.
        call: does `units` of work; its argument is a seed that no call before it had.
        check: what is wrong with what it computes; None if nothing is. Runs before the clock.
        unit: of the rate.
        units: of work in a call.
        note: what a reader must know; the values in `found` are added.
        processes: worker processes beside this one.
        drain: calls before a sample that only take what worker processes had made ahead.
        timed: `call` returns its rate: what happens before and behind the steps is not timed.
        found: by `check`, what the note tells beside: values of another definition.
    """

    name: str
    call: Callable[[int], Any]
    check: Callable[[], str | None]
    unit: str
    units: float = 1.0
    note: str = ""
    processes: int = 0
    drain: int = 0
    timed: bool = False
    found: dict[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class Steps:
    """When the batch of each training step arrived, and how many targets it had.

    From one arrival to the next lie one step and the wait for one batch.
    """

    arrived: list[float] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def arrive(self, targets: int) -> None:
        self.arrived.append(time.perf_counter())
        self.targets.append(targets)

    def rate(self) -> float:
        """Thousands of targets a second, behind the first steps and up to the last one."""
        seconds = self.arrived[-1] - self.arrived[WARM_STEPS]
        return sum(self.targets[WARM_STEPS:-1]) / seconds / 1e3


def taking(batches: Iterable[Any]) -> Callable[[int], Any]:
    """A call that takes the next batch; behind the last one it begins anew."""

    def endless() -> Iterator[Any]:
        while True:
            yield from batches

    source = endless()
    return lambda _: next(source)


Offer = Callable[[Problem], list[Contender]]
OfferLearners = Callable[[Problem], list[Learner]]


def serve(package: str, jobs: dict[str, Offer], learners: OfferLearners | None = None) -> None:
    """Answers the driver until its end of the pipe is closed."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    contenders: list[Contender] = []
    calls: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["ask"] == "open":
                contenders, answer = _open(package, jobs, request)
            elif request["ask"] == "learn" and learners is not None:
                problem = _problem(request, job="learning")
                answer = learned(learners(problem), problem, request)
                answer["version"] = version(package)
            else:
                answer = {"rate": _round(contenders, calls, request)}
        except Exception as error:  # the driver puts it in the row
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


def _open(
    package: str, jobs: dict[str, Offer], request: dict[str, Any]
) -> tuple[list[Contender], dict[str, Any]]:
    problem = _problem(request, job=request["job"])
    contenders = jobs[problem.job](problem)
    told = [
        {
            "name": one.name,
            "fault": _fault(one),
            "unit": one.unit,
            "note": "; ".join(filter(None, [one.note, *map(_found, one.found.items())])),
        }
        for one in contenders
    ]
    return contenders, {"version": version(package), "contenders": told}


def _problem(request: dict[str, Any], *, job: str) -> Problem:
    return Problem(
        folder=Path(request["folder"]), job=job, case=request["case"], threads=request["threads"]
    )


def _fault(one: Contender) -> str | None:
    try:
        fault = one.check()
    except Exception as error:  # the others of this process go on
        traceback.print_exc()
        fault = f"{type(error).__name__}: {error}"
    return None if fault is None else f"refused: {fault}"


def _found(found: tuple[str, float]) -> str:
    return f"{found[0]}: {found[1]:.3g}"


def _round(contenders: list[Contender], calls: dict[int, int], request: dict[str, Any]) -> float:
    """Units a second over one sample, after calls that are not counted: a hot loop."""
    place, seed = request["contender"], request["seed"]
    one = contenders[place]
    if one.timed:
        return one.call(seed)
    if place not in calls:
        calls[place] = _calls_in(one, seed)
        seed += 1_000
    n = calls[place]
    warm = one.drain or (int(n * WARM_SHARE) + 1 if n > 1 else 0)
    for _ in range(warm):
        one.call(seed)
        seed += 1
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for step in range(n):
            one.call(seed + step)
        taken = time.perf_counter() - start
    finally:
        gc.enable()
    if one.processes:
        time.sleep(REST_SECONDS)
    return n * one.units / taken


def _calls_in(one: Contender, seed: int) -> int:
    """How many calls take a sample's time, by the fastest of some.

    Workers have batches ready at first, so their calls are counted by the mean behind those.
    """
    fastest, spent = float("inf"), 0.0
    if one.processes:
        start = time.perf_counter()
        for step in range(4 * one.drain):
            one.call(seed + step)
        mean = (time.perf_counter() - start) / (3 * one.drain)
        return max(one.drain, round(SAMPLE_SECONDS / mean))
    for step in range(20):
        start = time.perf_counter()
        one.call(seed + step)
        taken = time.perf_counter() - start
        fastest, spent = min(fastest, taken), spent + taken
        if spent > SAMPLE_SECONDS / 2:
            break
    return max(1, round(SAMPLE_SECONDS / max(fastest, 1e-7)))
