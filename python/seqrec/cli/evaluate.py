"""`seqrec evaluate`: a trained run, or any other system's predictions, by the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqrec.cli.options import Cuts, Format, Output, PartName, Question, SplitName

if TYPE_CHECKING:
    from seqrec.evaluation import NextItemResult, RelevanceResult


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder made by `seqrec prepare`.")],
    run: Annotated[Path | None, typer.Option(help="Folder made by `seqrec train`.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Parquet of user_id, item_id, score: lists, or the exported pairs."),
    ] = None,
    part: Annotated[PartName, typer.Option(help="Which part is judged.")] = PartName.VALID,
    task: Annotated[
        Question | None, typer.Option(help="What the predictions are for (with --predictions).")
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(help="How the data set is cut (with --predictions) [default: leave_one_out]"),
    ] = None,
    cuts: Cuts = None,
    per_user: Annotated[
        Path | None, typer.Option(help=".parquet or .csv to write each user's results to.")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Judge a run or a file of predictions; metrics come with 95 % intervals and the protocol."""
    from seqrec.data import Dataset
    from seqrec.errors import ConfigError
    from seqrec.evaluation import judge
    from seqrec.experiment import load
    from seqrec.table import check_target

    if (run is None) == (predictions is None):
        raise ConfigError("give either --run or --predictions")
    if per_user is not None:
        check_target(per_user, "--per-user")
    dataset = Dataset.load(data)
    if run is not None and (task, split, cuts) != (None, None, None):
        raise ConfigError("--task, --split and --cuts go with --predictions: a run has its own")
    if run is not None:
        report = load(run, dataset=dataset).evaluate(part.value, per_user=per_user)
    elif predictions is not None and task is not None:
        cut = dataset.split((split or SplitName.LEAVE_ONE_OUT).value, cuts)
        judged = cut.part(part.value)
        frame = read_parquet(predictions)
        result = judge(frame, cut, judged, task.value)
        _doubt(result)
        if per_user is not None:
            result.write(per_user, dataset.user_ids, dataset.item_ids)
        report = result.report(predictions.name)
    else:
        raise ConfigError("--predictions needs --task")
    shown = {
        Format.TEXT: report.to_text,
        Format.MARKDOWN: report.to_markdown,
        Format.JSON: report.to_json,
    }
    typer.echo(shown[output]())


def _doubt(result: NextItemResult | RelevanceResult) -> None:
    """Says what lists without any target are: mostly those of somebody who knew the targets."""
    import numpy as np

    from seqrec.evaluation import NextItemResult

    if isinstance(result, NextItemResult) and not np.isfinite(result.ranks).any():
        typer.echo(
            "no list holds its target: `recommend --data` reads whole histories, and leaves out "
            "what is judged here; make lists from the histories before it (docs/python.md, Lists "
            "that can be judged)",
            err=True,
        )


def read_parquet(path: Path) -> Any:
    """The table of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from seqrec.errors import DataError

    try:
        return pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"cannot read {path}: there is no such file") from None
    except (OSError, pa.ArrowException) as error:
        hint = "; predictions are Parquet, as `recommend --out lists.parquet` writes them"
        raise DataError(f"cannot read {path} as Parquet: {error}{hint}") from None
