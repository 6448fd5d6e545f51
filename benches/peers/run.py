"""seqrec and its peers, side by side: `make bench-peers` and `make bench-peers-training`.

For each shape, job and case every peer's process makes its contenders ready and shows that they
compute the right thing; then rounds go round the table, each beginning with another contender, and
medians and quartiles are kept. Who computes something else is not timed, and its row says what.

    python benches/peers/run.py --job negatives --shape ml1m --peer lenskit --rounds 7
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import inputs
import numpy as np
from environments import PEERS, SEQREC
from workers import Seat, Worker, seated

from seqrec.bench.machine import describe
from seqrec.bench.result import BASE, Results, Row, write_results
from seqrec.errors import ResourceError, SeqrecError

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".bench"
BATCH_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is asked, of whom.

    Attributes:
        peers: who does it.
        cases: variants of it.
        shapes: where it is asked.
    """

    peers: tuple[str, ...]
    cases: tuple[str, ...] = ("",)
    shapes: tuple[str, ...] = ("tiny", "ml1m", "films")


LOADERS = ("recbole", "rectools", "replay")
JOBS = {
    "cloze": Job(peers=LOADERS),
    "next_item": Job(peers=LOADERS),
    "negatives": Job(
        peers=("recbole", "lenskit"),
        cases=("n=1", "n=100", "n=256", "n=100, popularity"),
    ),
    "rank": Job(peers=(*LOADERS, "lenskit", "pytrec_eval", "ranx", "torchmetrics")),
    "rank_factors": Job(peers=("implicit", "recometrics", "rectools")),
    "top_k_factors": Job(peers=("implicit", "rectools")),
    "evaluate": Job(peers=LOADERS, shapes=("tiny", "ml1m")),
    "ingest": Job(peers=LOADERS, cases=("time-ordered", "shuffled")),
}
TRAINING = {
    "training": Job(
        peers=LOADERS,
        cases=("bert4rec", "next_item"),
        shapes=("tiny", "ml1m"),
    ),
}


def main() -> None:
    options = _options()
    jobs = TRAINING if options.training else JOBS
    began, rows = datetime.now(UTC), []
    for name, shape, case, peers in _cases(jobs, options):
        started = time.perf_counter()
        folder = inputs.make(CACHE / "input", shape, BATCH_SIZE)
        found = measure(folder, name, case, peers, options)
        rows += [_row(seat, name, shape, case) for seat in found]
        _show(name, shape, case, rows[-len(found) :], time.perf_counter() - started)
        # written after every case: a long run that is stopped leaves what it has
        date = began.isoformat(timespec="seconds")
        write_results(options.out, Results(date=date, machine=describe(), rows=rows))
    print(options.out)


def measure(
    folder: Path, job: str, case: str, peers: list[str], options: argparse.Namespace
) -> list[Seat]:
    """All contenders of a case, after their rounds."""
    with ExitStack() as stack:
        seats: list[Seat] = []
        for peer in [SEQREC, *peers]:
            seats += _sit(stack, peer, options.threads, folder, job, case)
            if peer == SEQREC and options.threads > 1 and job in JOBS:
                seats += [_alone(seat) for seat in _sit(stack, peer, 1, folder, job, case)]
        for turn in range(options.rounds):
            first = turn % len(seats)
            for seat in [*seats[first:], *seats[:first]]:
                seat.round(seed=1_000_000 * (turn + 1))
    return seats


def _sit(
    stack: ExitStack, peer: str, threads: int, folder: Path, job: str, case: str
) -> list[Seat]:
    """The contenders of one process; where there is no process, one that says why."""
    try:
        worker = Worker(peer, CACHE, threads)
        stack.callback(worker.close)
        return seated(worker, folder, job, case)
    except ResourceError as error:
        return [Seat(name=peer, threads=threads, fault=f"absent: {error}")]


def _alone(seat: Seat) -> Seat:
    seat.name += ", 1 thread"
    return seat


def _cases(
    jobs: dict[str, Job], options: argparse.Namespace
) -> Iterator[tuple[str, str, str, list[str]]]:
    for shape in options.shape:
        for name, job in jobs.items():
            peers = [peer for peer in job.peers if peer in options.peer]
            asked = not options.job or name in options.job
            if asked and peers and shape in job.shapes:
                yield from ((name, shape, case, peers) for case in job.cases)


def _row(seat: Seat, job: str, shape: str, case: str) -> Row:
    rates = np.array(seat.rates)
    timed = seat.fault is None and len(rates) > 0
    low, middle, high = np.quantile(rates, (0.25, 0.5, 0.75)) if timed else (None,) * 3
    return Row(
        job=job,
        shape=shape,
        case=case,
        contender=seat.name,
        version=seat.version,
        threads=seat.threads,
        rate=None if middle is None else float(middle),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        rounds=max(1, len(rates)),
        unit=seat.unit,
        note="; ".join(filter(None, (seat.note, seat.fault))),
    )


def _show(job: str, shape: str, case: str, rows: list[Row], seconds: float) -> None:
    print(f"\n{job}, {shape}{', ' if case else ''}{case}  ({seconds:.0f} s)")
    base = next((row.rate for row in rows if row.contender == BASE), None)
    for row in rows:
        rate = f"{row.rate:14,.1f}" if row.rate else f"{'-':>14}"
        ratio = f"{base / row.rate:9.1f}x" if base and row.rate else f"{'':10}"
        print(f"  {row.contender:46}{rate} {row.unit:20}{ratio}  {row.note}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--training", action="store_true", help="training, not the data path")
    parser.add_argument("--shape", nargs="+", default=["ml1m", "films"], help="of the input")
    parser.add_argument("--job", nargs="+", choices=JOBS, help="all of them if none is named")
    parser.add_argument("--peer", nargs="+", choices=PEERS, default=PEERS, help="besides seqrec")
    parser.add_argument("--rounds", type=int, default=9, help="samples that a median is over")
    parser.add_argument("--threads", type=int, default=2, help="that each may use")
    parser.add_argument("--out", type=Path, default=CACHE / "peers.json", help="the results")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except SeqrecError as error:
        sys.exit(str(error))
