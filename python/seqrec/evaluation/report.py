"""What an evaluation found, with the protocol that it followed: numbers never travel alone.

A report is plain values: it goes to JSON and back unchanged, and prints itself as aligned text or
Markdown. A table of many reports has one row a system; it refuses reports of different protocols.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seqrec.config import unknown_key
from seqrec.errors import DataError
from seqrec.evaluation.intervals import Estimate
from seqrec.evaluation.protocol import check_same_protocol

Format = Literal["text", "markdown"]
# Reports of baselines and of other systems have none of these.
_OPTIONAL = ("training", "caveat", "spread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The metrics of one system on one part of a split.

    Attributes:
        system: name of what was evaluated.
        protocol: how: version, task, split, part, catalogue, filter, ties, negatives, intervals.
        metrics: name -> value with its 95 % interval over users.
        counts: what the numbers stand on: users, ties, cold targets, users left out.
        slices: the same metrics over some of the users, by the name of the slice.
        training: how the system came about: status, steps, minutes, precision, seed.
        caveat: what keeps the numbers from being published, as "time-limited"; stands beside the
            name of the system wherever it does.
        spread: metric -> standard deviation over the seeds, where the metrics are their means.
    """

    system: str
    protocol: dict[str, Any]
    metrics: dict[str, Estimate]
    counts: Mapping[str, int | float]
    slices: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    caveat: str = ""
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name of the system, with its caveat."""
        return f"{self.system} ({self.caveat})" if self.caveat else self.system

    def with_counts(self, counts: Mapping[str, int | float]) -> Report:
        """The same report with more counts, as how often the test part has been read."""
        return dataclasses.replace(self, counts={**self.counts, **counts})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an estimate becomes [value, low, high]."""
        return {
            "system": self.system,
            "protocol": dict(self.protocol),
            "metrics": {name: list(estimate) for name, estimate in self.metrics.items()},
            "counts": dict(self.counts),
            "slices": {
                name: {metric: list(estimate) for metric, estimate in metrics.items()}
                for name, metrics in self.slices.items()
            },
            "training": dict(self.training),
            "caveat": self.caveat,
            "spread": dict(self.spread),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """The report that `to_dict` wrote.

        Raises:
            ConfigError: for a key that no report has.
            DataError: if a key is missing or an estimate is not [value, low, high].
        """
        names = [f.name for f in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                raise unknown_key(f"report.{key}", key, names)
        missing = [name for name in names if name not in values and name not in _OPTIONAL]
        if missing:
            raise DataError(f"the report lacks `{missing[0]}`")
        return cls(
            system=values["system"],
            protocol=dict(values["protocol"]),
            metrics=_estimates(values["metrics"]),
            counts=dict(values["counts"]),
            slices={name: _estimates(metrics) for name, metrics in values["slices"].items()},
            training=dict(values.get("training", {})),
            caveat=values.get("caveat", ""),
            spread=dict(values.get("spread", {})),
        )

    def to_json(self) -> str:
        """`to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    def to_text(self) -> str:
        """Metrics with their intervals, counts and protocol, aligned for a terminal."""
        return self._layout("text")

    def to_markdown(self) -> str:
        """The same as a Markdown table with two lines below it."""
        return self._layout("markdown")

    def __str__(self) -> str:
        return self.to_text()

    def _layout(self, style: Format) -> str:
        rows = [
            [metric, *_cells(estimate), *(_value(s.get(metric)) for s in self.slices.values())]
            for metric, estimate in self.metrics.items()
        ]
        header = [self.label, "value", "95 % interval", *self.slices]
        lines = [grid(header, rows, style), "", _listed(self.counts), _listed(self.protocol)]
        if self.training:
            lines.append(_listed(self.training))
        return "\n".join(lines)


def table(
    reports: Sequence[Report], style: Format = "text", metrics: Sequence[str] | None = None
) -> str:
    """One row a system; two columns a metric: its 95 % interval over users, its spread over seeds.

    The second column is there where some report is of several seeds.

    Args:
        reports: reports of one protocol, in the order of the rows.
        style: "text" or "markdown".
        metrics: the columns; all metrics of the first report if not given.

    Raises:
        DataError: if two reports follow different protocols, or a metric is missing.
    """
    if not reports:
        raise DataError("0 reports: a table needs at least one")
    for other in reports[1:]:
        names = f"`{reports[0].system}` and `{other.system}`"
        check_same_protocol(reports[0].protocol, other.protocol, names)
    names = list(metrics) if metrics is not None else list(reports[0].metrics)
    seeded = any(report.spread for report in reports)
    header = [column for name in names for column in ([name, "seeds"] if seeded else [name])]
    rows = []
    for report in reports:
        cells = [(_cell(report, name), _spread(report, name)) for name in names]
        rows.append([report.label, *(c for both in cells for c in (both if seeded else both[:1]))])
    notes = [f"{r.label}: {_listed({**r.training, **_readings(r)})}" for r in reports if r.training]
    lines = [grid(["system", *header], rows, style), "", _listed(reports[0].protocol), *notes]
    return "\n".join(lines)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], style: Format = "text") -> str:
    """Cells as an aligned table: the first column to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |" if style == "markdown" else "  ".join(padded)

    dashes = ["-" * width for width in widths]
    if style == "markdown":
        dashes = [dashes[0]] + [dash[:-1] + ":" for dash in dashes[1:]]
    return "\n".join(line(cells).rstrip() for cells in (header, dashes, *rows))


def _readings(report: Report) -> dict[str, int | float]:
    """How often the test part has been read: a table has no other place for it."""
    return {k: v for k, v in report.counts.items() if k == "test_readings"}


def _spread(report: Report, name: str) -> str:
    return f"±{report.spread[name]:.4f}" if name in report.spread else ""


def _estimates(metrics: Mapping[str, Any]) -> dict[str, Estimate]:
    for name, bounds in metrics.items():
        if not isinstance(bounds, list | tuple) or len(bounds) != 3:
            raise DataError(f"report: `{name}` is {bounds!r}, not [value, low, high]")
    return {name: Estimate(*bounds) for name, bounds in metrics.items()}


def _value(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.4f}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{estimate.low:.4f}, {estimate.high:.4f}]"


def _cells(estimate: Estimate) -> list[str]:
    return [_value(estimate), _interval(estimate)]


def _cell(report: Report, name: str) -> str:
    if name not in report.metrics:
        raise unknown_key(f"metric {name}", name, report.metrics)
    return " ".join(cell for cell in _cells(report.metrics[name]) if cell)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in values.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
