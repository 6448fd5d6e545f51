"""README's table of benchmarks, docs/performance.md's tables and their plot, from stored results.

    python benches/tables.py                      # from benches/results
    python benches/tables.py --no-plot FILE...

Every figure of both pages stands between two markers and is written here: nobody types one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seqrec.bench import Results, read_results
from seqrec.bench.plot import plot_rates
from seqrec.bench.render import render, summary

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: benches/results")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the project to write to")
    parser.add_argument("--no-plot", action="store_true", help="leave the plot as it is")
    options = parser.parse_args(arguments)
    files = options.files or sorted((options.root / "benches/results").rglob("results.json"))
    if not files:
        parser.error("there are no results: run `seqrec bench` first")
    results = read_results(files)
    replace(options.root / "README.md", summary(results))
    replace(options.root / "docs/performance.md", pages(results))
    if not options.no_plot:
        plot_rates(results, options.root / "docs/performance.png")


def pages(results: list[Results]) -> str:
    """All tables, and the plot of them."""
    return f"{render(results, 'markdown')}\n\n![Rates of all contenders](performance.png)"


def replace(page: Path, text: str) -> None:
    """Puts the text between the markers of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
