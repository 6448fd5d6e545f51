"""How seqrec's cost grows: one quantity at a time, the others as they are.

Batch time against L and against B, rank time against V, ingestion against rows. The size of a point
is counted in elements (tokens, scores, rows), so that all curves share the axes of one picture, and
a slope of 1 means: twice the work takes twice the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqrec.bench import machine
from seqrec.bench.contender import Contender, thread_count
from seqrec.bench.jobs.cloze import ours as cloze
from seqrec.bench.jobs.ingest import log_of
from seqrec.bench.jobs.ingest import ours as ingest
from seqrec.bench.jobs.rank import ours as rank
from seqrec.bench.scores import scored
from seqrec.bench.shapes import SHAPES, Problem, Shape, Sizes, simulated_as
from seqrec.bench.timing import SAMPLE_SECONDS, measure
from seqrec.config import check, unknown_value
from seqrec.errors import DataError
from seqrec.files import read_json, whole_file, write_json

FORMAT = "seqrec growth"
LENGTHS = (25, 50, 100, 200, 400, 800)
BATCHES = (16, 64, 256, 1024, 4096)
CATALOGUES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
ROWS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 50_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The time of one call.

    Attributes:
        value: of the quantity that is varied.
        elements: tokens, scores or rows of a call.
        seconds: the median over the rounds.
    """

    value: int
    elements: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Times against one quantity.

    Attributes:
        name: what is done, and what is varied.
        elements: what is counted.
        points: two or more, by rising value.
    """

    name: str
    elements: str
    points: list[Point]

    def slope(self) -> float:
        """Of the straight line through the logarithms of the upper half of the points."""
        upper = self.points[min(len(self.points) // 2, len(self.points) - 2) :]
        sizes = np.log([point.elements for point in upper])
        return float(np.polyfit(sizes, np.log([point.seconds for point in upper]), 1)[0])


Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How curves are measured.

    Attributes:
        sizes: threads, batch size and seed.
        rounds: of which medians are taken.
        sample_seconds: about how long one sample takes.
        largest: no point has more elements; for machines of little memory.
        say: is told what is being done.
    """

    sizes: Sizes
    rounds: int
    sample_seconds: float = SAMPLE_SECONDS
    largest: int = 1 << 29
    say: Say = lambda _: None

    def point(self, name: str, value: int, elements: int, ours: Contender, units: float) -> Point:
        """The time that so many units take."""
        rates = measure([ours], self.rounds, self.sample_seconds)[ours.name]
        seconds = units / float(np.median(rates))
        self.say(f"{name} = {value:,}: {seconds:.3g} s")
        return Point(value=value, elements=elements, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A quantity that is varied.

    Attributes:
        values: of the quantity, rising.
        elements: how many a point of this value has.
        curve: measures the points of the given values.
    """

    values: Sequence[int]
    elements: Callable[[Growth, int], int]
    curve: Callable[[Growth, Sequence[int]], Curve]


def grow(curves: Sequence[str], growth: Growth) -> list[Curve]:
    """The curves of these names, of the points that are small enough.

    Raises:
        ConfigError: for an unknown name, with the nearest one; if a curve would have fewer than
            two points, which have no slope.
    """
    for name in curves:
        if name not in CURVES:
            raise unknown_value("curve", name, CURVES)
    sweeps = [CURVES[name] for name in curves]
    # Of all curves, before the first one is measured: that takes minutes.
    least = max((sweep.elements(growth, sweep.values[1]) for sweep in sweeps), default=0)
    rule = f"at least {least}: a slope needs two points"
    check(growth.largest >= least, "largest", growth.largest, rule)
    with thread_count(growth.sizes.threads):
        return [
            sweep.curve(
                growth, [v for v in sweep.values if sweep.elements(growth, v) <= growth.largest]
            )
            for sweep in sweeps
        ]


def write_curves(path: Path, curves: Sequence[Curve]) -> None:
    """The curves, their slopes and the machine as JSON."""
    found = [{**dataclasses.asdict(curve), "slope": curve.slope()} for curve in curves]
    document = {"format": FORMAT, "version": 1, "machine": machine.describe(), "curves": found}
    with whole_file(path) as aside:
        write_json(aside, document)


def read_curves(path: Path) -> list[Curve]:
    """What `write_curves` wrote.

    Raises:
        DataError: if it is something else; names the file.
    """
    document = read_json(path, DataError)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{path} is no document of {FORMAT!r}")
    return [
        Curve(
            name=curve["name"],
            elements=curve["elements"],
            points=[Point(**point) for point in curve["points"]],
        )
        for curve in document["curves"]
    ]


def lengths(growth: Growth, values: Sequence[int]) -> Curve:
    """Cloze batches against L, on histories that are longer than all of them."""
    batch = growth.sizes.batch_size
    users = max(1_000, batch)
    shape = Shape(
        users=users, items=10_000, events=1_000 * users, sigma=0.0, max_seq_len=LENGTHS[-1]
    )
    problem = simulated_as("long", shape, growth.sizes)
    points = [
        growth.point("L", value, batch * value, _cloze(problem, value, batch), 1.0)
        for value in values
    ]
    return Curve(name=f"cloze batch, L varied, B = {batch}", elements="tokens", points=points)


def batches(growth: Growth, values: Sequence[int]) -> Curve:
    """Cloze batches against B, at the shape of MovieLens-1M."""
    problem = simulated_as("ml1m", SHAPES["ml1m"], growth.sizes)
    length = problem.max_seq_len
    points = [
        growth.point("B", value, value * length, _cloze(problem, length, value), 1.0)
        for value in values
    ]
    return Curve(name=f"cloze batch, B varied, L = {length}", elements="tokens", points=points)


def catalogues(growth: Growth, values: Sequence[int]) -> Curve:
    """The ranks of a thousand users against V, scores from memory."""
    points = []
    for value in values:
        shape = Shape(users=2_000, items=value, events=100_000, sigma=0.5, max_seq_len=50)
        *_, data = scored(simulated_as("catalogue", shape, growth.sizes))
        points.append(growth.point("V", value, 1_000 * value, rank(data), 1.0))
    return Curve(name="ranks of 1,000 users, V varied", elements="scores", points=points)


def rows(growth: Growth, values: Sequence[int]) -> Curve:
    """Ingestion against rows: shuffled, sparse 64-bit ids."""
    points = []
    for value in values:
        shape = Shape(
            users=max(100, value // 50), items=max(1_000, value // 50), events=value, sigma=0.8,
            max_seq_len=50,
        )  # fmt: skip
        log = log_of(simulated_as("log", shape, growth.sizes), "shuffled", "sparse")
        n = len(log.times)
        points.append(growth.point("rows", value, n, ingest(log), n / 1e6))
    return Curve(name="ingestion, rows varied", elements="rows", points=points)


CURVES = {
    "length": Sweep(
        values=LENGTHS, elements=lambda growth, v: growth.sizes.batch_size * v, curve=lengths
    ),
    "batch": Sweep(
        values=BATCHES, elements=lambda _, v: v * SHAPES["ml1m"].max_seq_len, curve=batches
    ),
    # Of the scores of a thousand users: they are made and ranked a part at a time.
    "catalogue": Sweep(values=CATALOGUES, elements=lambda _, v: 64 * v, curve=catalogues),
    "rows": Sweep(values=ROWS, elements=lambda _, v: v, curve=rows),
}


def _cloze(problem: Problem, length: int, batch: int) -> Contender:
    sizes = dataclasses.replace(problem.sizes, batch_size=batch)
    varied = dataclasses.replace(problem, max_seq_len=length, sizes=sizes)
    return cloze(varied, varied.batches())
