"""`seqrec refit`: the model of a run, trained again with the validation part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqrec.allocator import keep_freed_memory
from seqrec.cli.options import DataFolder, Overwrite, quoted
from seqrec.openmp import wait_briefly


def refit(
    data: DataFolder,
    run: Annotated[Path, typer.Option(help="Folder made by `seqrec train`: what was chosen.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the new run.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the refit stopped.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a run's model again, from scratch, on its training and validation part.

    It takes the steps that validation chose, with the same seed: what is deployed, and a row of its
    own beside the validated run's. Only the test part is left to judge it.
    """
    wait_briefly()
    from seqrec.data import Dataset
    from seqrec.experiment import load, refit
    from seqrec.training import launched_ranks

    keep_freed_memory()
    # Its weights are not read, and before a process has its GPU they would go to the first.
    chosen = load(run, dataset=Dataset.load(data), device="cpu")
    with launched_ranks(chosen.config.training.device) as first:
        again = refit(chosen, folder=out, resume=resume, overwrite=overwrite)
    if not first:
        return
    assert again.training is not None  # it has just ended
    typer.echo(f"{again.status}: {again.training.steps:,} steps, as validation chose in {run}")
    typer.echo(f"run: {out}\nnext: seqrec evaluate {quoted(data)} --run {quoted(out)} --part test")
