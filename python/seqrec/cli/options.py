"""Options that several verbs share: said once, so that they read the same everywhere."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Model(StrEnum):
    """The two models."""

    LSTM = "lstm"
    BERT4REC = "bert4rec"


class Task(StrEnum):
    """The two tasks."""

    NEXT_ITEM = "next_item"
    RELEVANCE = "relevance"


class Question(StrEnum):
    """What is asked of a model: a task, and for relevance how the negatives are drawn."""

    NEXT_ITEM = "next_item"
    RELEVANCE = "relevance"
    RELEVANCE_POPULARITY = "relevance-popularity"


class SplitName(StrEnum):
    """How a data set is cut."""

    LEAVE_ONE_OUT = "leave_one_out"
    GLOBAL_TIME = "global_time"


class PartName(StrEnum):
    """The part that is judged."""

    VALID = "valid"
    TEST = "test"


class Repeats(StrEnum):
    """What happens to repeated (user, item) pairs."""

    KEEP = "keep"
    FIRST = "first"
    DROP_CONSECUTIVE = "drop-consecutive"


class Format(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


DataFolder = Annotated[Path, typer.Argument(help="Folder made by `seqrec prepare`.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder made by `seqrec train`.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any option of the config: training.lr=1e-3"),
]
Split = Annotated[SplitName, typer.Option("--split", help="How the data set is cut.")]
Cuts = Annotated[
    tuple[int, int] | None,
    typer.Option(
        "--cuts",
        metavar="FIRST SECOND",
        help="Where --split global_time cuts: validation begins at FIRST, the test at SECOND, in "
        "the unit of the timestamps [default: their 0.8 and 0.9 quantiles]",
        show_default=False,
    ),
]
UserCol = Annotated[str, typer.Option(help="Column of the user ids.")]
ItemCol = Annotated[str, typer.Option(help="Column of the item ids.")]
TimeCol = Annotated[
    str | None,
    typer.Option(
        help="Column of the times; '' for the order of rows [default: timestamp, if there]."
    ),
]
Output = Annotated[Format, typer.Option("--format", help="How the result is printed.")]


def quoted(word: object) -> str:
    """A word of a command that is shown, as a shell would have to be given it."""
    return shlex.quote(str(word))
