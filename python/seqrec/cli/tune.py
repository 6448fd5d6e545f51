"""`seqrec tune`: a search for the options of a model on a task, judged on validation alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqrec.allocator import keep_freed_memory
from seqrec.cli.options import (
    Cuts,
    DataFolder,
    Format,
    Model,
    Output,
    Split,
    SplitName,
    Task,
    quoted,
)
from seqrec.openmp import wait_briefly

BUDGET = ("epochs", "max_steps", "max_minutes")


def tune(
    data: DataFolder,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the search; goes on with the one in it.")
    ],
    model: Annotated[Model | None, typer.Option(help="Overrides the recipe's.")] = None,
    task: Annotated[Task | None, typer.Option(help="Overrides the recipe's.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="TOML file of options that the search starts from.")
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of tables as in a recipe, with leaves {low = 1e-4, high = 3e-3, "
            "log = true} or {choices = [256, 512]} [default: what --print-space prints]"
        ),
    ] = None,
    split: Split = SplitName.LEAVE_ONE_OUT,
    cuts: Cuts = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in the folder in the end.")] = 20,
    max_minutes: Annotated[
        float | None, typer.Option(help="Begin no trial after so many minutes.")
    ] = None,
    prune_after: Annotated[
        int, typer.Option(min=1, help="Whole trials before the median rule gives up others.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the proposals; not of the runs.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any option of all trials. training.epochs, max_steps and max_minutes are the "
            "budget of a trial, and not part of best.toml.",
        ),
    ] = None,
    output: Output = Format.TEXT,
    print_space: Annotated[
        bool, typer.Option("--print-space", help="Print the default space, and stop.")
    ] = False,
) -> None:
    """Search options by short trials; print the best trials and write the best one's recipe.

    Trials are proposed by optuna (pip install 'seqrec[tune]') and compared by their best
    training.monitor on validation; the test part is not touched. The same command goes on with a
    search that was stopped, and several processes may share a folder. Only the best trial's
    weights are kept.
    """
    import logging

    wait_briefly()
    from seqrec import config
    from seqrec.data import Dataset
    from seqrec.data.split import split_options
    from seqrec.experiment import resolve
    from seqrec.tuning import default_space
    from seqrec.tuning import tune as search_options
    from seqrec.tuning.render import render

    asked, budget = _budget(config.parse_assignments(settings or []))
    cell = {"model": model and model.value, "task": task and task.value}
    layers = {
        f"recipe {recipe}": config.read_toml(recipe) if recipe else {},
        "flag": {key: value for key, value in cell.items() if value is not None},
        "--set": asked,
    }
    if print_space:
        base = resolve(layers)[0]
        typer.echo(default_space(base.model, base.task), nl=False)
        return
    keep_freed_memory()
    for chatty in ("optuna.study", "optuna.storages"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    cut = Dataset.load(data).split(split.value, cuts)
    found = search_options(
        cut,
        layers=layers,
        folder=out,
        space=config.read_toml(space) if space else None,
        trials=trials,
        max_minutes=max_minutes,
        budget=budget,
        prune_after=prune_after,
        seed=seed,
        say=lambda line: typer.echo(line, err=True),
    )
    typer.echo(render(found, output.value))
    if output is Format.JSON or found.best is None:
        return
    typer.echo(
        f"recipe: {found.recipe}\nweights, of the best trial alone: {found.run_of(found.best)}\n"
        f"next: seqrec train {quoted(data)}{split_options(cut.protocol())} "
        f"--recipe {quoted(found.recipe)} --out run"
    )


def _budget(asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What all trials have in common, and what makes them short."""
    training = asked.get("training")
    if not isinstance(training, dict):
        return asked, {}
    short = {key: value for key, value in training.items() if key in BUDGET}
    common = {key: value for key, value in training.items() if key not in BUDGET}
    return {**asked, "training": common}, {"training": short} if short else {}
