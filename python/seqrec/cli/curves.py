"""`seqrec curves`: validation against minutes, for any number of runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from seqrec.cli.options import Format, Output


def curves(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders made by `seqrec train` or `compare`.")
    ],
    metric: Annotated[
        str | None, typer.Option(help="Another metric than ndcg or accuracy: logloss, hit@10...")
    ] = None,
    mark: Annotated[
        list[str] | None,
        typer.Option("--mark", metavar="NAME=VALUE", help="A level to reach: GRU4Rec=0.1679"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="PNG or SVG file to draw them in.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Print how good each run was on validation, when, and how soon it reached each mark.

    Read from the runs' logs, also while they are training. Minutes are those of the machine and
    threads that they ran on, validations included. The format json has every point.
    """
    from seqrec.comparison.curves import curves_table, plot_curves, read_curve
    from seqrec.config import check

    marks: dict[str, float] = {}
    for text in mark or []:
        name, value = _mark(text)
        check(name not in marks, "--mark", text, f"another name: {name!r} is there already")
        marks[name] = value
    found = [read_curve(run, metric) for run in runs]
    if out is not None:
        plot_curves(found, marks, out)
        typer.echo(f"figure: {out}", err=True)
    typer.echo(curves_table(found, marks, output.value))


def _mark(text: str) -> tuple[str, float]:
    from seqrec.config import check

    name, _, value = text.rpartition("=")
    try:
        level = float(value)
    except ValueError:
        level = math.nan
    right = bool(name) and math.isfinite(level)
    check(right, "--mark", text, "NAME=VALUE, VALUE a number")
    return name, level
