"""A benchmark: check every contender of every job, time those that are right, keep the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.bench import machine
from seqrec.bench.contender import Contender, Job, thread_count
from seqrec.bench.jobs import JOBS
from seqrec.bench.limits import floor_seconds
from seqrec.bench.result import BASE, Results, Row
from seqrec.bench.shapes import Problem
from seqrec.bench.timing import SAMPLE_SECONDS, measure
from seqrec.config import check, unknown_value
from seqrec.errors import ConfigError, DataError, SeqrecError

LEAST_ROUNDS = 7
REFUSED = "refused: "
ABSENT = "absent: "

Say = Callable[[str], None]
Keep = Callable[[Results], None]


def run(
    problem: Problem,
    jobs: Sequence[str] = tuple(JOBS),
    *,
    rounds: int = LEAST_ROUNDS,
    sample_seconds: float = SAMPLE_SECONDS,
    limits: dict[str, Any] | None = None,
    say: Say = lambda _: None,
    keep: Keep = lambda _: None,
) -> Results:
    """The rows of the jobs on a problem, in the order of the jobs.

    A job that the data cannot have has one row, which says why.

    Args:
        problem: the data and the sizes.
        jobs: names of JOBS; each is done once.
        rounds: of which medians and quartiles are taken.
        sample_seconds: about how long one sample takes.
        limits: of plain loops on this machine, for the column "of the limit".
        say: is told what is being done.
        keep: is given the rows so far after each job.

    Raises:
        ConfigError: for an unknown job, with the nearest name, or too few rounds for a median.
        SeqrecError: of the first job that the data cannot have, where they can have none.
    """
    for name in jobs:
        if name not in JOBS:
            raise unknown_value("job", name, JOBS)
    check(rounds >= LEAST_ROUNDS, "rounds", rounds, f"at least {LEAST_ROUNDS}: it is for medians")
    began = datetime.now(UTC).isoformat(timespec="seconds")
    impossible: list[SeqrecError] = []
    with thread_count(problem.sizes.threads):
        results = Results(date=began, machine=machine.describe(), rows=[], limits=limits or {})
        for name in dict.fromkeys(jobs):
            try:
                for rows in _cases(name, problem, rounds, sample_seconds, results.limits, say):
                    results.rows.extend(rows)
            except (ConfigError, DataError) as error:
                say(f"{name}, {problem.shape}: left out, {error}")
                results.rows.append(_left_out(name, problem, error))
                impossible.append(error)
            keep(results)
    if len(impossible) == len(results.rows) > 0:
        raise impossible[0]
    return results


def refusals(results: Results) -> list[Row]:
    """The contenders that were not timed because they computed something else."""
    return [row for row in results.rows if row.rate is None and row.note.startswith(REFUSED)]


def _cases(
    name: str, problem: Problem, rounds: int, seconds: float, limits: dict[str, Any], say: Say
) -> Iterator[list[Row]]:
    for job in JOBS[name](problem):
        title = f"{name}, {problem.shape}" + (f", {job.case}" if job.case else "")
        say(f"{title}: {len(job.contenders)} contenders")
        yield _rows(job, problem, rounds, seconds, limits, say)


def _rows(
    job: Job, problem: Problem, rounds: int, seconds: float, limits: dict[str, Any], say: Say
) -> list[Row]:
    refused: dict[str, str] = {}
    with ExitStack() as stack:
        for contender in job.contenders:
            stack.callback(contender.close)
            fault = job.fault(contender)
            if fault is not None:
                refused[contender.name] = fault
                say(f"  {contender.name} is not timed: {fault}")
        right = [contender for contender in job.contenders if contender.name not in refused]
        rates = measure(right, rounds, seconds) if right else {}
    floor = floor_seconds(job.work, limits, problem.sizes.threads)
    rows = [_row(job, problem, c, rates[c.name], floor) for c in right]
    for contender in job.contenders:
        if contender.name in refused:
            rows.append(_untimed(job, problem, contender, REFUSED + refused[contender.name]))
    for name, why in job.absent.items():
        rows.append(_untimed(job, problem, Contender(name=name, call=id, package=""), ABSENT + why))
    return rows


def _row(
    job: Job,
    problem: Problem,
    contender: Contender,
    rates: NDArray[np.float64],
    floor: float | None,
) -> Row:
    low, median, high = (float(rate) for rate in np.quantile(rates, (0.25, 0.5, 0.75)))
    return Row(
        job=job.name,
        shape=problem.shape,
        case=job.case,
        contender=contender.name,
        version=_version(contender),
        threads=contender.processes or problem.sizes.threads,
        rate=median,
        low=low,
        high=high,
        rounds=len(rates),
        unit=job.unit,
        share=None if floor is None else floor * median,
        note=contender.note,
    )


def _left_out(name: str, problem: Problem, why: SeqrecError) -> Row:
    job = Job(name=name, unit="not timed", contenders=[], fault=lambda _: None)
    ours = Contender(name=BASE, call=id, package=BASE)
    return _untimed(job, problem, ours, f"{ABSENT}{why}")


def _untimed(job: Job, problem: Problem, contender: Contender, why: str) -> Row:
    return Row(
        job=job.name,
        shape=problem.shape,
        case=job.case,
        contender=contender.name,
        version=_version(contender),
        threads=contender.processes or problem.sizes.threads,
        rate=None,
        unit=job.unit,
        note=why,
    )


def _version(contender: Contender) -> str:
    """Of its library; "" for one that is all Python."""
    return (machine.installed(contender.package) or "") if contender.package else ""
