"""`seqrec card`: the model card of a run, or of the seeds of one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders made by `seqrec train` or `compare`: seeds of one recipe."),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Prepared data set, for its name and its sizes.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Markdown file to write; else it is printed.")
    ] = None,
) -> None:
    """Print the model card of a run in Markdown: what it is, how good, how to use it, its limits.

    Nothing is measured: the card has what `seqrec evaluate` and `seqrec compare` have found, test
    numbers only where they were asked for.
    """
    from seqrec.cards import read_card, to_markdown
    from seqrec.files import whole_file

    text = to_markdown(read_card(runs, data))
    if out is None:
        typer.echo(text, nl=False)
        return
    with whole_file(out) as aside:
        aside.write_text(text, encoding="utf-8")
    typer.echo(f"card: {out}")
