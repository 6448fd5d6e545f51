"""`seqrec demo`: the main job without network and without data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqrec.allocator import keep_freed_memory
from seqrec.cli.options import Format, Output
from seqrec.openmp import wait_briefly


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the runs.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Of the simulated log and the models.")] = 0,
    output: Output = Format.TEXT,
) -> None:
    """Train LSTM and BERT4Rec on both tasks on simulated data, and compare with the ceiling.

    The ceiling is what the exact predictive distribution of the simulation reaches: nobody can do
    better on average.
    """
    wait_briefly()
    from seqrec.comparison import run_demo
    from seqrec.comparison.render import render

    keep_freed_memory()
    compared = run_demo(out, seed=seed, say=lambda line: typer.echo(line, err=True))
    typer.echo(render(compared, output.value))
