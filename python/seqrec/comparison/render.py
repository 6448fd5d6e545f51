"""Comparisons as text, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seqrec.comparison.compare import Comparison
from seqrec.errors import DataError
from seqrec.evaluation import Report, grid, table


def render(comparisons: Sequence[Comparison], style: str) -> str:
    """All comparisons in one document; `style` is "text", "markdown" or "json"."""
    if style == "json":
        return json.dumps([_plain(comparison) for comparison in comparisons], indent=2)
    layout: Literal["text", "markdown"] = "markdown" if style == "markdown" else "text"
    return "\n\n".join(_section(comparison, layout) for comparison in comparisons)


def read_json(path: Path) -> list[Comparison]:
    """The comparisons of a file that `render` wrote as JSON.

    Raises:
        DataError: if it is no such file.
    """
    try:
        sections = json.loads(path.read_text(encoding="utf-8"))
        return [
            Comparison(
                section["data"],
                section["task"],
                [Report.from_dict(report) for report in section["reports"]],
            )
            for section in sections
        ]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no comparison in JSON: {error!r}") from None


def _section(comparison: Comparison, style: Literal["text", "markdown"]) -> str:
    title = f"{comparison.data}, {comparison.task.replace('_', ' ')}"
    rows = [
        [
            f"{first} - {second}",
            f"{d.difference:+.4f}",
            f"[{d.low:+.4f}, {d.high:+.4f}]",
            d.verdict,
        ]
        for (first, second), d in comparison.differences.items()
    ]
    header = [f"paired difference of {comparison.headline}", "value", "95 % interval", "verdict"]
    systems = table(comparison.reports, style, comparison.metrics)
    heading = f"## {title}" if style == "markdown" else f"{title}\n{'=' * len(title)}"
    return "\n\n".join([heading, systems, grid(header, rows, style)])


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
