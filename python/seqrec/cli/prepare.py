"""`seqrec prepare`: from a raw log to a prepared data set, with its audit."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from seqrec.cli.options import (
    Cuts,
    ItemCol,
    Overwrite,
    Repeats,
    Split,
    SplitName,
    TimeCol,
    UserCol,
)


def prepare(
    log: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, JSON lines or Parquet (file, glob, folder); MovieLens' ratings."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the prepared data set.")],
    user_col: UserCol = "user_id",
    item_col: ItemCol = "item_id",
    time_col: TimeCol = None,
    min_user: Annotated[int, typer.Option(help="Drop users with fewer actions.")] = 1,
    min_item: Annotated[int, typer.Option(help="Drop items with fewer actions.")] = 1,
    repeats: Annotated[
        Repeats, typer.Option(help="What happens to repeated (user, item) pairs.")
    ] = Repeats.KEEP,
    small: Annotated[
        bool, typer.Option("--small", help="Keep a keyed tenth of the users.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Folder for parts, inputs and pairs, for other libraries.")
    ] = None,
    split: Split = SplitName.LEAVE_ONE_OUT,
    cuts: Cuts = None,
    overwrite: Overwrite = False,
) -> None:
    """Encode, sort, filter and store a log; print the audit."""
    from seqrec.data import Interactions, PrepareConfig
    from seqrec.data.audit import render
    from seqrec.data.export import export as export_split
    from seqrec.data.prepare import Events
    from seqrec.data.prepare import prepare as filter_and_number
    from seqrec.errors import ConfigError

    if export is None and (split, cuts) != (SplitName.LEAVE_ONE_OUT, None):
        raise ConfigError(
            "--split and --cuts cut what --export writes, and nothing else: name a folder by "
            "--export, or give them to train, evaluate and compare"
        )
    config = PrepareConfig(min_user=min_user, min_item=min_item, repeats=repeats.value)
    _refuse_places(out, export, overwrite=overwrite)
    # No name holds the log: its memory is free as soon as its events are sorted.
    dataset = filter_and_number(
        Events.of(
            Interactions.from_file(log, user_col=user_col, item_col=item_col, time_col=time_col)
        ),
        config,
    )
    if small:
        dataset = dataset.small()
    if export is not None:  # first, since it is what a data set can fail at
        export_split(dataset.split(split.value, cuts), export, overwrite=overwrite)
    dataset.save(out, overwrite=overwrite)
    typer.echo(render(dataset.audit))
    if export is not None:
        typer.echo(f"parts and pairs: {export}")
    typer.echo(f"prepared data set: {out}")


def _refuse_places(out: Path, export: Path | None, *, overwrite: bool) -> None:
    """Refuses before the log is read what would be refused after it."""
    from seqrec.data.dataset import DATA_SET
    from seqrec.data.export import EXPORT
    from seqrec.errors import ConfigError
    from seqrec.folder import refuse_occupied

    places = {"--out": (out, DATA_SET)}
    if export is not None:
        places["--export"] = (export, EXPORT)
    for place, kind in places.values():
        with suppress(PermissionError):  # writing will say what it lacks
            refuse_occupied(place, kind, replace=overwrite)
    for (name, (place, _)), (other, (outer, _)) in itertools.permutations(places.items(), 2):
        if outer.resolve() in (place.resolve(), *place.resolve().parents):
            raise ConfigError(f"{name} {place} lies inside {other} {outer}: choose a place outside")
