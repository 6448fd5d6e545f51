"""Results as pictures: rates of all contenders by job, and how cost grows with size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqrec.bench.growth import Curve
from seqrec.bench.render import groups, quantity, ratio_text, title
from seqrec.bench.result import BASE, EPOCHS, Results, Row
from seqrec.figures import empty_figure, save_figure

OURS, OTHERS = "#b5452c", "#8a97a6"
LINE_INCHES, GROUP_INCHES = 0.24, 0.75
MARKS = "osD^v<>Pp*"


def plot_rates(results: Sequence[Results], path: Path) -> None:
    """A panel for each unit of work, a point for each contender on a logarithmic axis: PNG or SVG.

    Raises:
        ConfigError: if matplotlib is not installed.
    """
    timed = [
        (document, [row for row in rows if row.rate])
        for document in results
        for rows in groups(document)
    ]
    timed = [(document, rows) for document, rows in timed if rows]
    heights = [len(rows) * LINE_INCHES + GROUP_INCHES for _, rows in timed]
    figure, axes = empty_figure(sum(heights) or 1.0, heights or [1.0])
    for panel, (document, rows) in zip(axes, timed, strict=False):
        _points(panel, document, rows)
    save_figure(figure, path)


def plot_growth(curves: Sequence[Curve], path: Path) -> None:
    """Seconds against size on two logarithmic axes, one line for each curve.

    Raises:
        ConfigError: if matplotlib is not installed.
    """
    figure, (axes,) = empty_figure(5.5)
    for curve, mark in zip(curves, MARKS * len(curves), strict=False):
        sizes, seconds = zip(*((p.elements, p.seconds) for p in curve.points), strict=True)
        label = f"{curve.name} (slope {curve.slope():.2f})"
        axes.loglog(sizes, seconds, marker=mark, markersize=4, linewidth=1.2, label=label)
    axes.set_xlabel("size: " + "; ".join(dict.fromkeys(curve.elements for curve in curves)))
    axes.set_ylabel("seconds a call")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)


def _points(axes: Any, document: Results, rows: list[Row]) -> None:
    names = [f"{row.contender} {row.version}".strip() for row in rows]
    rates = [row.rate or 0.0 for row in rows]
    colours = [OURS if row.contender in (BASE, EPOCHS) else OTHERS for row in rows]
    places = range(len(rows))
    spread = [
        [max(0.0, rate - (row.low or rate)) for row, rate in zip(rows, rates, strict=True)],
        [max(0.0, (row.high or rate) - rate) for row, rate in zip(rows, rates, strict=True)],
    ]
    # Points, not bars: on a logarithmic axis a length means nothing.
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 1.5, max(rates) * 6)
    axes.hlines(places, min(rates) / 1.5, rates, color="#dddddd", linewidth=1, zorder=0)
    axes.errorbar(rates, places, xerr=spread, fmt="none", ecolor=colours, elinewidth=3, alpha=0.5)
    axes.scatter(rates, places, color=colours, s=28, zorder=3)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title(rows[0]), fontsize=9, loc="left")
    for place, row in enumerate(rows):
        ours = row.contender in (BASE, EPOCHS)
        ratio = "" if ours else ratio_text(document.ratio(row))
        text = quantity(rates[place]) + (f"   (seqrec: {ratio})" if ratio else "")
        axes.annotate(
            text, (row.high or rates[place], place), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.grid(visible=True, axis="x", which="major", alpha=0.25)
