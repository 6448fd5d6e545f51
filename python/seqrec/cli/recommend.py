"""`seqrec recommend`: the best items for known users or for new sequences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqrec.cli.options import ItemCol, RunFolder, TimeCol, UserCol

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from seqrec.data import Dataset, Vocabulary
    from seqrec.data.roles import Columns


def recommend(
    run: RunFolder,
    sequence: Annotated[
        list[str] | None,
        typer.Option(
            "--sequence",
            help="Items of somebody new, oldest first: a,b,c (repeatable); '' for nobody known. "
            "Ids with commas: --sequences.",
        ),
    ] = None,
    sequences: Annotated[
        Path | None,
        typer.Option(help="A log, as `prepare` reads it: many new sequences."),
    ] = None,
    user_col: UserCol = "user_id",
    item_col: ItemCol = "item_id",
    time_col: TimeCol = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Prepared data set: known users, after all that they have taken."),
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option("--user", help="A known user (repeatable) [default: all].")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items for each user.")] = 10,
    filter_seen: Annotated[
        bool | None,
        typer.Option("--filter-seen/--keep-seen", help="[default: as the run was evaluated]"),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="An item that nobody gets (repeatable).")
    ] = None,
    candidates: Annotated[
        list[str] | None, typer.Option(help="Rank these items alone (repeatable).")
    ] = None,
    unknown: Annotated[
        str, typer.Option(help="Unknown items: skip (and count) or error.")
    ] = "skip",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=".parquet or .csv to write; else CSV is printed."),
    ] = None,
) -> None:
    """Print or write user_id, item_id, score, probability, rank."""
    from seqrec.data import Dataset
    from seqrec.data.roles import Columns
    from seqrec.experiment import load
    from seqrec.table import check_target

    columns = Columns(user=user_col, item=item_col, time=time_col)
    _check_source(sequence, sequences, data, user, columns_named=columns != Columns())
    if out is not None:
        check_target(out, "--out")
    dataset = None if data is None else Dataset.load(data)
    loaded = load(run, dataset=dataset)
    options = {
        "k": k,
        "filter_seen": filter_seen,
        "exclude": _ids(loaded.item_ids, exclude or []),
        "candidates": _ids(loaded.item_ids, candidates) if candidates else None,
        "unknown": unknown,
    }
    if dataset is not None:
        users = _ids(dataset.user_ids, user) if user else None
        frame = loaded.recommend(users=users, **options)
    elif sequences is not None:
        labels, histories, lost = _read_sequences(sequences, columns, loaded.item_ids, unknown)
        frame = loaded.recommend(sequences=histories, **options)
        frame["user_id"] = labels[frame["user_id"].to_numpy()]
        frame.attrs["unknown_items"] += lost
    else:
        raw = [_ids(loaded.item_ids, text.split(",") if text else []) for text in sequence or []]
        frame = loaded.recommend(sequences=raw, **options)
    _write(frame, out)


def _check_source(
    sequence: list[str] | None,
    sequences: Path | None,
    data: Path | None,
    user: list[str] | None,
    *,
    columns_named: bool,
) -> None:
    from seqrec.errors import ConfigError

    if user is not None and data is None:
        raise ConfigError("--user goes with --data, which has the histories of known users")
    if sum(source is not None for source in (sequence, sequences, data)) != 1:
        raise ConfigError("give exactly one of --sequence, --sequences and --data")
    if columns_named and sequences is None:
        raise ConfigError("--user-col, --item-col and --time-col name the columns of --sequences")


def _write(frame: pd.DataFrame, out: Path | None) -> None:
    """Writes the lists, or prints them as CSV; says what was left out."""
    import pyarrow as pa

    from seqrec.table import write_table

    skipped = frame.attrs["unknown_items"]
    if skipped:
        typer.echo(
            f"{skipped:,} events with items that the model does not know were skipped", err=True
        )
    empty = frame.attrs["empty_lists"]
    if empty:
        typer.echo(
            f"{empty:,} histories get no item: all that may be recommended is excluded, or has "
            "been seen (--keep-seen lets that in)",
            err=True,
        )
    if out is None:
        typer.echo(frame.to_csv(index=False), nl=False)
        return
    # A column of text without a row has lost its type.
    columns = {
        name: pa.array(column, pa.large_string() if column.dtype == object else None)
        for name, column in frame.items()
    }
    write_table(out, pa.table(columns))
    typer.echo(f"{out}: {len(frame):,} recommendations for {frame.user_id.nunique():,} users")


def _ids(vocabulary: Vocabulary, texts: list[str]) -> list[str | int]:
    """Ids typed on the command line: integers where those of the model or the data are.

    Raises:
        DataError: for the first text that is no such id.
    """
    return [_typed_id(text, vocabulary) for text in texts]


def _typed_id(text: str, vocabulary: Vocabulary) -> str | int:
    from seqrec.errors import DataError

    try:
        text.encode()  # bytes of another encoding than the terminal's arrive as lone surrogates
    except UnicodeEncodeError:
        raise DataError(f"id {text!r} is not UTF-8") from None
    found = _id_of(text.strip() if vocabulary.is_integer else text, vocabulary)
    if found is None:
        raise DataError(
            f"id {text!r} is no integer, as all ids here are: write it in plain digits, as 42 or -7"
        )
    return found


def _id_of(text: str, vocabulary: Vocabulary) -> str | int | None:
    """The id that a text stands for: None where the ids are integers and it is not one as written.

    "7" is one; "007", "+7" and "1_0" are other texts than that of an integer.
    """
    if not vocabulary.is_integer:
        return text
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None


def _read_sequences(
    path: Path, columns: Columns, item_ids: Vocabulary, unknown: str
) -> tuple[NDArray[Any], list[list[Any]], int]:
    """Raw user ids and the raw item histories of a log, oldest first, and how many events are lost.

    What the ids of the file are is no guess: they are read as those of the model, and lost where
    they cannot be.
    """
    import numpy as np

    from seqrec.data import Interactions

    log = Interactions.from_file(
        str(path), user_col=columns.user, item_col=columns.item, time_col=columns.time
    )
    dataset = log.prepare()
    texts = [str(raw) for raw in dataset.item_ids.decode(np.arange(dataset.n_items)).tolist()]
    ids = [_id_of(text, item_ids) for text in texts]
    if unknown == "error":
        _refuse_unknown(path, dataset, texts, ids, item_ids)
    rows = [
        [ids[item - 1] for item in dataset.sequences.user(user)] for user in range(dataset.n_users)
    ]
    histories = [[raw for raw in row if raw is not None] for row in rows]
    lost = sum(row.count(None) for row in rows)
    return dataset.user_ids.decode(np.arange(dataset.n_users)), histories, lost


def _refuse_unknown(
    path: Path, dataset: Dataset, texts: list[str], ids: list[Any], item_ids: Vocabulary
) -> None:
    """Raises DataError for the first item that the model does not know, with a user who took it."""
    import numpy as np

    from seqrec.data.vocabulary import UNKNOWN
    from seqrec.errors import DataError

    typed = np.array([raw is not None for raw in ids], dtype=bool)
    codes = np.full(len(ids), UNKNOWN, dtype=np.int32)
    codes[typed] = item_ids.encode([raw for raw in ids if raw is not None])
    lost = np.flatnonzero(codes == UNKNOWN)
    if len(lost):
        event = int((dataset.sequences.items == lost[0] + 1).argmax())
        (user,) = np.flatnonzero(
            (dataset.sequences.starts <= event) & (event < dataset.sequences.stops)
        )
        (label,) = dataset.user_ids.decode(np.array([user]))
        kind = "" if typed[lost[0]] else ", whose items are integers"
        raise DataError(
            f"{path}: item {texts[lost[0]]!r} of user {label!r} is unknown to the model{kind}"
        )
