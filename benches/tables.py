"""README's table of benchmarks, docs/performance.md's tables and their plots, from stored results.

    python benches/tables.py                      # from benches/results
    python benches/tables.py --no-plot

Every JSON file below benches/results that `seqrec bench` or the peers' harness has written is taken
in, in the order of the names. Every figure of both pages stands between two markers and is written
here: nobody types one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from seqrec.bench import Results, Row, read_results
from seqrec.bench import growth as growing
from seqrec.bench import result as documents
from seqrec.bench.plot import plot_growth, plot_rates
from seqrec.bench.render import render, summary
from seqrec.bench.result import BASE, EPOCHS

ROOT = Path(__file__).parents[1]
RATES, GROWTH = "benchmarks", "growth"
SHAPE = "ml1m"  # of the figures that README has room for


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="of the project to write to")
    parser.add_argument("--no-plot", action="store_true", help="leave the plots as they are")
    options = parser.parse_args(arguments)
    root, pages = options.root, (options.root / "README.md", options.root / "docs/performance.md")
    results = read_results(stored(root, documents.FORMAT))
    if not results:
        parser.error("there are no results: run `make bench` first")
    replace(pages[0], RATES, readme(results))
    replace(pages[1], RATES, tables(results))
    if not options.no_plot:
        plot_rates(headline(results), root / "docs/performance.png")
    for path in stored(root, growing.FORMAT):
        curves = growing.read_curves(path)
        replace(pages[1], GROWTH, slopes(curves))
        if not options.no_plot:
            plot_growth(curves, root / "docs/growth.png")


def stored(root: Path, kind: str) -> list[Path]:
    """The JSON files of one format below benches/results."""
    files = sorted((root / "benches/results").rglob("*.json"))
    return [path for path in files if json.loads(path.read_text("utf-8")).get("format") == kind]


def readme(results: list[Results]) -> str:
    """README's table: a line for each job."""
    return summary(headline(results))


def headline(results: list[Results]) -> list[Results]:
    """The first case of each job on one shape, seqrec beside others: what a page has room for."""
    rows = [row for one in results for row in one.rows]
    shape = SHAPE if any(row.shape == SHAPE for row in rows) else rows[0].shape
    cases: dict[str, str] = {}
    for row in rows:
        if row.shape == shape:
            cases.setdefault(row.job, row.case)
    shown = [
        dataclasses.replace(one, rows=[row for row in one.rows if _is_shown(row, shape, cases)])
        for one in results
    ]
    return [one for one in shown if one.rows]


def _is_shown(row: Row, shape: str, cases: dict[str, str]) -> bool:
    own = row.contender not in (BASE, EPOCHS) and row.contender.startswith(BASE)
    return row.shape == shape and cases.get(row.job) == row.case and not own


def tables(results: list[Results]) -> str:
    """The plot of README's rows, and all tables."""
    return f"![Rates of the contenders](performance.png)\n\n{render(results, 'markdown')}"


def slopes(curves: list[growing.Curve]) -> str:
    """A line for each curve, and the plot of them."""
    lines = ["| what grows | from | to | slope |", "|---|---:|---:|---:|"]
    for curve in curves:
        first, last = curve.points[0], curve.points[-1]
        ends = [f"{p.seconds:.3g} s for {p.elements:,} {curve.elements}" for p in (first, last)]
        lines.append(f"| {curve.name} | {ends[0]} | {ends[1]} | {curve.slope():.2f} |")
    return "\n".join([*lines, "", "![Seconds against size](growth.png)"])


def replace(page: Path, name: str, text: str) -> None:
    """Puts the text between the markers of that name."""
    begin, end = markers(name)
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise SystemExit(f"{page} lacks the markers {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def markers(name: str) -> tuple[str, str]:
    """What stands before and after the figures."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


if __name__ == "__main__":
    main()
