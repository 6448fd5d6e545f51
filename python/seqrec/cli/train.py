"""`seqrec train`: one model on one task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqrec.allocator import keep_freed_memory
from seqrec.cli.options import (
    Cuts,
    DataFolder,
    Model,
    Overwrite,
    Settings,
    Split,
    SplitName,
    Task,
    quoted,
)
from seqrec.openmp import wait_briefly


def train(
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the run.")],
    model: Annotated[Model | None, typer.Option(help="Overrides the recipe's.")] = None,
    task: Annotated[Task | None, typer.Option(help="Overrides the recipe's.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="TOML file of options; the flags below win over it.")
    ] = None,
    split: Split = SplitName.LEAVE_ONE_OUT,
    cuts: Cuts = None,
    epochs: Annotated[int | None, typer.Option(help="training.epochs")] = None,
    seed: Annotated[int | None, typer.Option(help="training.seed")] = None,
    device: Annotated[str | None, typer.Option(help="training.device: auto, cpu, cuda...")] = None,
    threads: Annotated[int | None, typer.Option(help="training.threads of PyTorch")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Train so many minutes at most; the report follows.")
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run stopped, with its options.")
    ] = False,
    overwrite: Overwrite = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every option and its origin, and stop.")
    ] = False,
) -> None:
    """Train a model; print its validation metrics. The test part is not touched.

    Under `torchrun --nproc-per-node N --no-python seqrec train ...` N processes train one model,
    each with its share of every batch.
    """
    wait_briefly()
    from seqrec import config
    from seqrec.data import Dataset
    from seqrec.errors import ConfigError
    from seqrec.experiment import begun_with, fit_layers, resolve
    from seqrec.experiment.config import to_toml
    from seqrec.training import launched_ranks, state_to_resume

    flags = {
        "epochs": epochs,
        "seed": seed,
        "device": device,
        "threads": threads,
        "max_minutes": max_minutes,
    }
    cell = {"model": model and model.value, "task": task and task.value}
    begun = begun_with(out) if resume else {}
    if resume and not (begun or model or recipe or settings):
        raise ConfigError(
            f"{out} holds no state to go on from: name the folder of a run, or give --model and "
            "--task, or --recipe, to begin one"
        )
    layers = {
        f"run {out}": begun,
        f"recipe {recipe}": config.read_toml(recipe) if recipe else {},
        "flag": {
            **{key: value for key, value in cell.items() if value is not None},
            "training": {key: value for key, value in flags.items() if value is not None},
        },
        "--set": config.parse_assignments(settings or []),
    }
    wanted = resolve(layers)[0].training.device  # wrong options are told before the data are read
    keep_freed_memory()
    cut = Dataset.load(data).split(split.value, cuts)
    if print_config:
        typer.echo(to_toml(*resolve(layers, cut)))
        return
    with launched_ranks(wanted) as first:
        if first and resume and state_to_resume(out, resume=True) is None:
            typer.echo(f"{out} holds no state to go on from: training begins anew", err=True)
        run = fit_layers(layers, cut, folder=out, resume=resume, overwrite=overwrite)
    if not first:
        return
    typer.echo(run.evaluate("valid").to_text())
    typer.echo(f"run: {out}\nnext: seqrec evaluate {quoted(data)} --run {quoted(out)} --part test")
