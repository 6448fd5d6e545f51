"""`seqrec audit`: what a prepared data set holds, and what a reviewer would ask about it."""

from __future__ import annotations

from typing import Annotated

import typer

from seqrec.cli.options import DataFolder


def audit(
    data: DataFolder,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the audit of a prepared data set, and check its files against their digests."""
    import json as encoder

    from seqrec.data import Dataset
    from seqrec.data.audit import render

    dataset = Dataset.load(data, verify=True)
    typer.echo(encoder.dumps(dataset.audit, indent=2) if json else render(dataset.audit))
