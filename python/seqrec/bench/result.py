"""What a benchmark leaves behind: rows of rates, and the machine that they are for.

The same document is written by `seqrec bench` and by the peers' harness, so that one table and one
plot take both. `results.json`:

    {"format": "seqrec bench", "version": 1, "date": "2026-11-24T15:00:00+00:00",
     "machine": {...}, "limits": {...}, "rows": [{"job": "cloze", "shape": "ml1m", ...}]}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqrec import config
from seqrec.errors import ConfigError, DataError
from seqrec.files import read_json, whole_file, write_json

FORMAT = "seqrec bench"
VERSION = 1
BASE = "seqrec"  # the contender that every ratio is to,
EPOCHS = "seqrec, BatchStream"  # but for this one, where the others' epochs are in their time, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How fast one contender did one job.

    Attributes:
        job: what was done, as "cloze" or "rank".
        shape: on which data, as "ml1m" or the name of a folder.
        case: which variant of the job, as "n=100" or "from RAM"; "" where there is one only.
        contender: who did it, as "seqrec" or "RecBole".
        version: of the contender's library, as "1.2.1"; "" where it has none.
        threads: how many it was allowed, worker processes included.
        rate: the median over the rounds, in `unit`; None where it was not timed.
        low: the lower quartile of the rounds; None where there is no spread.
        high: the upper quartile of the rounds.
        rounds: how many samples the median is over.
        unit: of the rate, always one of work over time: "batches/s", "rows/s".
        share: of the limit that the plain loops of this machine set; None if it is not known.
        note: what a reader must know; where `rate` is None, why.
    """

    job: str
    shape: str
    contender: str
    version: str
    threads: int
    rate: float | None
    unit: str
    note: str = ""
    case: str = ""
    low: float | None = None
    high: float | None = None
    rounds: int = 1
    share: float | None = None

    @property
    def group(self) -> tuple[str, str, str]:
        """Rows of one group did the same work: (job, shape, case)."""
        return self.job, self.shape, self.case


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The rows of one run on one machine; only their ratios travel to another.

    Attributes:
        date: when it began, ISO 8601 with its zone.
        machine: what it ran on and with, as `machine.describe` tells.
        limits: GB/s and G/s of plain loops, as the program `limits` prints them; empty if unknown.
        rows: one for each contender of each case.
    """

    date: str
    machine: dict[str, Any]
    rows: list[Row]
    limits: dict[str, Any] = field(default_factory=dict)

    def ratio(self, row: Row) -> float | None:
        """How many times faster than this row seqrec was, in the same group of this run."""
        rows = {r.contender: r for r in self.rows if r.group == row.group}
        base = rows.get(EPOCHS) or rows.get(BASE)
        if base is None or not base.rate or not row.rate:
            return None
        return base.rate / row.rate


def write_results(path: Path, results: Results) -> None:
    """Writes the document, whole or not at all."""
    document = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(results)}
    with whole_file(path) as aside:
        write_json(aside, document)


def read_results(paths: Iterable[Path]) -> list[Results]:
    """The documents of `write_results`, in the order of the paths.

    Raises:
        DataError: if a file is no such document; names the file and the key.
    """
    return [_read(path) for path in paths]


def _read(path: Path) -> Results:
    document = read_json(path, DataError)
    found = isinstance(document, dict) and (
        document.pop("format", None),
        document.pop("version", None),
    )
    if found != (FORMAT, VERSION):
        raise DataError(f"{path} is no document of {FORMAT!r} version {VERSION} (it says {found})")
    try:
        rows = [
            config.read(Row, row, f"rows[{place}].") for place, row in enumerate(document["rows"])
        ]
        return Results(**{**document, "rows": rows})
    except (KeyError, TypeError, ConfigError) as error:
        raise DataError(f"{path}: {error}") from None
