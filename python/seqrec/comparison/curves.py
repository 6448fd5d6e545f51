"""Validation against time: how good each run was after how many minutes of training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec.config import check
from seqrec.errors import DataError
from seqrec.evaluation import grid
from seqrec.figures import empty_figure, plain_text, save_figure
from seqrec.training.early_stop import larger_is_better
from seqrec.training.journal import LOG

NOT_METRICS = ("kind", "step", "epoch", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCurve:
    """The validations of a run in their order.

    Attributes:
        run: its folder.
        metric: what was measured.
        epochs: the epoch, from 1, in which each was made: at its end, or where the training ended.
        minutes: on the clock since the training began, validations included.
        values: of the metric; NaN where it was not finite.
    """

    run: str
    metric: str
    epochs: list[int]
    minutes: list[float]
    values: list[float]

    def best(self) -> int:
        """The place of the best value."""
        worst = float("inf") if self._falls else float("-inf")
        known = [worst if value != value else value for value in self.values]
        return known.index(min(known) if self._falls else max(known))

    def minutes_to(self, mark: float) -> float | None:
        """When the mark was first reached; None if it never was."""
        for minutes, value in zip(self.minutes, self.values, strict=True):
            if value <= mark if self._falls else value >= mark:
                return minutes
        return None

    @property
    def _falls(self) -> bool:
        return not larger_is_better(self.metric)


def read_curve(run: Path, metric: str | None = None) -> TrainingCurve:
    """The curve of a run folder; without a metric, of the ndcg or accuracy that it was judged by.

    Raises:
        DataError: if there is no log, a line of it is broken, nothing was validated yet, or the
            metric was not measured (names those that were).
    """
    lines = _validations(run / LOG)
    if not lines:
        raise DataError(f"{run}: nothing was validated yet, or it is a refit, which never is")
    known = [name for name in lines[0] if name not in NOT_METRICS]
    headlines = [name for name in known if name.startswith("ndcg@") or name == "accuracy"]
    chosen = headlines[0] if metric is None and headlines else metric
    if chosen not in known:
        raise DataError(f"{run}: no {chosen} was measured, but {', '.join(known)}")
    try:
        return TrainingCurve(
            run=str(run),
            metric=chosen,
            epochs=[int(line["epoch"]) for line in lines],
            minutes=[line["seconds"] / 60 for line in lines],
            values=[float("nan" if line[chosen] is None else line[chosen]) for line in lines],
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{run / LOG}: a validation lacks what it measured: {error!r}") from None


def curves_table(
    curves: Sequence[TrainingCurve], marks: Mapping[str, float], style: str = "text"
) -> str:
    """The best value of each run, when it came, and the minutes to each mark.

    `style` is "text", "markdown" or "json", which has all points.
    """
    if style == "json":
        return json.dumps([_plain(curve, marks) for curve in curves], indent=2)
    header = ["run", "metric", "best", "epoch", "minutes"]
    header += [f"minutes to {name} ({mark:g})" for name, mark in marks.items()]
    rows = []
    for curve in curves:
        best = curve.best()
        reached = [curve.minutes_to(mark) for mark in marks.values()]
        rows.append(
            [
                curve.run, curve.metric, f"{curve.values[best]:.4f}", str(curve.epochs[best]),
                f"{curve.minutes[best]:.1f}",
                *("never" if at is None else f"{at:.1f}" for at in reached),
            ]
        )  # fmt: skip
    return grid(header, rows, "markdown" if style == "markdown" else "text")


def plot_curves(curves: Sequence[TrainingCurve], marks: Mapping[str, float], path: Path) -> None:
    """The metric against minutes, a line a run, and a level line for each mark: PNG or SVG.

    Raises:
        ConfigError: if matplotlib is not installed, or the path has another ending.
        ResourceError: if the file cannot be written.
    """
    check(path.suffix in (".png", ".svg"), "out", str(path), "a file that ends in .png or .svg")
    figure, (axes,) = empty_figure(4.5)
    lines = [axes.plot(c.minutes, c.values, marker="o", markersize=3)[0] for c in curves]
    for name, mark in marks.items():
        axes.axhline(mark, color="#8a97a6", linestyle="--", linewidth=1)
        axes.annotate(
            plain_text(f"{name}: {mark:g}"), (1, mark), xycoords=("axes fraction", "data"),
            fontsize=8, ha="right", va="bottom", color="#5d6a78",
        )  # fmt: skip
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(f"{' and '.join(dict.fromkeys(c.metric for c in curves))} on validation")
    axes.set_xlim(left=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(lines, [plain_text(curve.run) for curve in curves], frameon=False, fontsize=8)
    save_figure(figure, path)


def _validations(log: Path) -> list[dict[str, Any]]:
    try:
        text = log.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read {log}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{log} is no UTF-8: {error}") from None
    lines = []
    written, _, _ = text.rpartition("\n")  # what a killed writer began is cut when it is resumed
    for number, line in enumerate(written.splitlines(), start=1):
        try:
            values = json.loads(line)
            if values["kind"] == "validation":
                lines.append(values)
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{log}: line {number} is no line of a training log") from None
    return lines


def _plain(curve: TrainingCurve, marks: Mapping[str, float]) -> dict[str, Any]:
    return {
        "run": curve.run,
        "metric": curve.metric,
        "epochs": curve.epochs,
        "minutes": curve.minutes,
        "values": [None if value != value else value for value in curve.values],
        "minutes_to": {name: curve.minutes_to(mark) for name, mark in marks.items()},
    }
