"""`seqrec compare`: models x tasks x data sets as one table, and the reference study's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqrec.allocator import keep_freed_memory
from seqrec.cli.options import (
    Cuts,
    Format,
    Model,
    Output,
    PartName,
    Question,
    Settings,
    Split,
    SplitName,
    Task,
)
from seqrec.openmp import wait_briefly

app = typer.Typer(no_args_is_help=True, help="Compare both models on both tasks, with baselines.")
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the cells and the tables.")]


@app.command()
def run(
    data: Annotated[list[Path], typer.Argument(help="Folders made by `seqrec prepare`.")],
    out: Out = Path("comparison"),
    model: Annotated[list[Model] | None, typer.Option(help="[default: both]")] = None,
    task: Annotated[
        list[Question] | None, typer.Option(help="[default: next_item and relevance]")
    ] = None,
    part: Annotated[PartName, typer.Option(help="Which part is judged.")] = PartName.TEST,
    split: Split = SplitName.LEAVE_ONE_OUT,
    cuts: Cuts = None,
    recipes: Annotated[
        Path | None,
        typer.Option(help="Folder of NAME-MODEL-TASK.toml, NAME being that of the DATA folder."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Runs of each cell, with seeds from training.seed on.")
    ] = 1,
    refit: Annotated[
        bool, typer.Option("--refit", help="Also a row of each model refitted with validation.")
    ] = False,
    settings: Settings = None,
    output: Output = Format.TEXT,
) -> None:
    """Train what is missing and print the tables; finished cells are skipped.

    The folder keeps the cells of all commands that were given it, but its comparison.json and
    comparison.md are the tables of this command alone, in the place of those of the one before.
    """
    wait_briefly()
    from seqrec import config
    from seqrec.comparison import compare, recipe_paths
    from seqrec.comparison.render import render
    from seqrec.data import Dataset
    from seqrec.errors import ConfigError
    from seqrec.files import whole_file

    keep_freed_memory()
    layers = {"--set": config.parse_assignments(settings or [])}
    models, tasks = [m.value for m in model or Model], [t.value for t in task or Task]
    folders = {folder.resolve().name: folder for folder in data}  # that of "." is in its path
    if len(folders) < len(data):
        raise ConfigError("two of the data sets have folders of one name: tables need two")
    found = {name: recipe_paths(recipes, name) if recipes else {} for name in folders}
    tables = {
        name: {cell: config.read_toml(path) for cell, path in paths.items()}
        for name, paths in found.items()
    }
    splits = {
        name: Dataset.load(folder).split(split.value, cuts) for name, folder in folders.items()
    }
    done = []
    for name, cut in splits.items():
        for cell in ((m, t) for t in tasks for m in models):
            typer.echo(_chosen(name, cell, found[name].get(cell)), err=True)
        done += compare(
            name,
            cut,
            folder=out,
            part=part.value,
            models=models,
            tasks=tasks,
            cells=tables[name],
            layers=layers,
            seeds=seeds,
            refits=refit,
            say=lambda line: typer.echo(line, err=True),
        )
    for kept, style in (("comparison.json", "json"), ("comparison.md", "markdown")):
        with whole_file(out / kept) as aside:
            aside.write_text(render(done, style) + "\n", encoding="utf-8")
    typer.echo(render(done, output.value))


def _chosen(name: str, cell: tuple[str, str], recipe: Path | None) -> str:
    """The line that says what the config of a cell begins with."""
    model, task = cell
    return f"{name} {task} {model}: " + ("defaults" if recipe is None else f"recipe {recipe}")


@app.command()
def study(
    results: Annotated[
        list[Path] | None, typer.Argument(help="comparison.json files, to stand beside it.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Print the reference study's accuracies, beside ours where they are given."""
    from seqrec.comparison import study_tables
    from seqrec.comparison.render import read_comparisons

    compared = [comparison for path in results or [] for comparison in read_comparisons(path)]
    typer.echo(study_tables(compared, output.value))
