"""One trial on disk: what the search chose, what config that came to, the validation curve."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqrec.errors import CheckpointError
from seqrec.files import read_json, whole_file, write_json
from seqrec.training import FINAL, Evaluation, larger_is_better

RECORD, RUN = "trial.json", "run"
ENDED = (*FINAL, "time-limited")  # those that can be the best
STATUSES = (*ENDED, "pruned", "diverged", "refused", "out of memory", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of a search.

    Attributes:
        number: from 0.
        status: how the run ended: `completed`, `early-stopped` or `time-limited`; `pruned`, by the
            median rule; `diverged`, `refused` or `out of memory`, as the note says; or `running`.
        values: full path of an option -> the value that the search chose.
        config: every option of the run, as nested tables; empty where it was refused.
        curve: its validations.
        note: why it did not come to its end.
    """

    number: int
    status: str
    values: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[Evaluation, ...] = ()
    note: str = ""

    def best(self, monitor: str) -> Evaluation | None:
        """The validation with the best value of the metric, the first of equal ones, if any."""
        numbers = [e for e in self.curve if not math.isnan(e.metrics[monitor])]
        sign = -1 if larger_is_better(monitor) else 1
        return min(numbers, key=lambda e: sign * e.metrics[monitor], default=None)

    @property
    def seconds(self) -> float:
        """Training and validation, up to the last validation."""
        return self.curve[-1].seconds if self.curve else 0.0

    def observed(self, evaluation: Evaluation) -> Trial:
        """The trial after one more validation; one that it knows already is not taken twice."""
        earlier = tuple(e for e in self.curve if e.step < evaluation.step)
        return dataclasses.replace(self, curve=(*earlier, evaluation))

    def write(self, folder: Path) -> None:
        """Puts the record into the folder of the trial."""
        curve = [evaluation.to_document() for evaluation in self.curve]
        document = {**dataclasses.asdict(self), "curve": curve}
        with whole_file(folder / RECORD) as aside:
            write_json(aside, document)


def read_trial(folder: Path, monitor: str) -> Trial | None:
    """The record in the folder of a trial whose validations measured `monitor`; None without one.

    Raises:
        CheckpointError: if it is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    document = read_json(path, CheckpointError)
    try:
        return _trial(document, monitor)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(f"{path} is no record of a trial: {error!r}") from None


def _trial(document: Mapping[str, Any], monitor: str) -> Trial:
    plain = {
        "number": int(document["number"]),
        "values": dict(document["values"]),
        "curve": tuple(Evaluation.from_document(entry) for entry in document["curve"]),
    }
    trial = Trial(**{**document, **plain})
    if trial.status not in STATUSES:
        raise ValueError(f"status {trial.status!r}")
    trial.best(monitor)  # was measured by each validation
    return trial
