"""`seqrec data`: get a public data set from its official address, or simulate one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqrec.cli.options import Overwrite, quoted

app = typer.Typer(no_args_is_help=True, help="Download a public data set, or simulate one.")


@app.command()
def movielens(
    name: Annotated[str, typer.Argument(help="ml-100k, ml-1m, ml-20m, ml-25m or ml-32m.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("data"),
) -> None:
    """Download a MovieLens data set: the only command that uses the network."""
    from tqdm import tqdm

    from seqrec.data import movielens as source

    typer.echo(source.LICENCE, err=True)
    with tqdm(unit="B", unit_scale=True, desc=name, disable=None) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = source.download(name, out, progress=advance)
    typer.echo(f"{path}\nnext: seqrec prepare {quoted(path)} --out {quoted(name)} --min-item 5")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .parquet or .csv.")],
    preset: Annotated[
        str, typer.Option(help="The shape: demo (seconds), ml-1m (dense) or films (sparse).")
    ] = "demo",
    users: Annotated[int | None, typer.Option(help="Users, if not the preset's.")] = None,
    items: Annotated[int | None, typer.Option(help="Items, if not the preset's.")] = None,
    mean_length: Annotated[
        float | None,
        typer.Option(
            help="Mean actions of a user; nobody has more than half of the items, and the mean "
            "falls short where many would."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw a log from a documented generative model whose best possible prediction is known."""
    import pyarrow as pa

    from seqrec import simulation
    from seqrec.errors import ResourceError
    from seqrec.table import check_target, write_table

    check_target(out, "--out")
    if out.exists() and not overwrite:
        raise ResourceError(f"{out} exists: give --overwrite to replace it")
    settings = simulation.preset(
        preset, seed=seed, users=users, items=items, mean_length=mean_length
    )
    frame = simulation.simulate(settings).to_pandas()
    write_table(out, pa.Table.from_pandas(frame, preserve_index=False))
    taken = frame["item_id"].nunique()
    typer.echo(
        f"{out}: {settings.users:,} users, {len(frame):,} actions on {taken:,} of "
        f"{settings.items:,} items"
    )
