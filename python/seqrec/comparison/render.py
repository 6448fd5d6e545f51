"""Comparisons as text, Markdown or JSON, and back from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from seqrec.comparison.compare import Comparison
from seqrec.config import check
from seqrec.errors import ConfigError, DataError
from seqrec.evaluation import Difference, Report, grid, table

Layout = Literal["text", "markdown"]
TITLES = {
    "next_item": "next item",
    "relevance": "relevance",
    "relevance-popularity": "relevance, popularity-matched negatives",
}


def render(comparisons: Sequence[Comparison], style: str) -> str:
    """All comparisons in one document; `style` is "text", "markdown" or "json"."""
    if style == "json":
        return json.dumps([_plain(comparison) for comparison in comparisons], indent=2)
    layout = layout_of(style)
    return "\n\n".join(_section(comparison, layout) for comparison in comparisons)


def read_comparisons(path: Path) -> list[Comparison]:
    """The comparisons of a file that `render` wrote as JSON.

    Raises:
        DataError: if it is no such file.
    """
    try:
        return [_comparison(section) for section in json.loads(path.read_text(encoding="utf-8"))]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(
            f"{path} is no comparison in JSON, as `seqrec compare run` writes it: {error}"
        ) from None


def layout_of(style: str) -> Layout:
    """The style as one of a table.

    Raises:
        ConfigError: for another style.
    """
    check(style in ("text", "markdown"), "format", style, "text, markdown or json")
    return "markdown" if style == "markdown" else "text"


def _section(comparison: Comparison, style: Layout) -> str:
    title = f"{comparison.data}, {TITLES[comparison.task]}"
    labels = {report.system: report.label for report in comparison.reports}
    rows = [
        [
            f"{labels[first]} - {labels[second]}",
            f"{d.difference:+.4f}",
            f"[{d.low:+.4f}, {d.high:+.4f}]",
            d.verdict,
        ]
        for (first, second), d in comparison.differences.items()
    ]
    seeds = any(report.spread for report in comparison.reports)
    interval = "95 % intervals of all seeds" if seeds else "95 % interval"
    header = [f"paired difference of {comparison.headline}", "value", interval, "verdict"]
    systems = table(comparison.reports, style, comparison.metrics)
    heading = f"## {title}" if style == "markdown" else f"{title}\n{'=' * len(title)}"
    parts = [heading, systems, grid(header, rows, style)] if rows else [heading, systems]
    return "\n\n".join(parts)


def _plain(comparison: Comparison) -> dict[str, object]:
    return {
        "data": comparison.data,
        "task": comparison.task,
        "reports": [report.to_dict() for report in comparison.reports],
        "differences": [
            {
                "first": first,
                "second": second,
                "metric": comparison.headline,
                "difference": d.difference,
                "low": d.low,
                "high": d.high,
                "verdict": d.verdict,
            }
            for (first, second), d in comparison.differences.items()
        ],
    }


def _comparison(section: Mapping[str, Any]) -> Comparison:
    if section["task"] not in TITLES:
        raise DataError(f"no task {section['task']!r}")
    return Comparison(
        data=section["data"],
        task=section["task"],
        reports=[Report.from_dict(report) for report in section["reports"]],
        differences={
            (d["first"], d["second"]): Difference(d["difference"], d["low"], d["high"])
            for d in section["differences"]
        },
    )
