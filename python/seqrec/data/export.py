"""A split as Parquet files with raw ids, for any other library to be trained and scored on.

| file | rows |
|---|---|
| train.parquet | the training part, user by user, oldest first |
| valid.parquet, test.parquet | what comes after the part before it, up to the target, the same way; `is_target` marks it |
| valid_inputs.parquet, test_inputs.parquet | the input of each target, whole, the same way |
| valid_pairs.parquet, test_pairs.parquet | `user_id, item_id, label, draw` (see `pairs.py`) |
| valid_pairs_popularity.parquet, test_pairs_popularity.parquet | the same, drawn by popularity |
| protocol.json | split, cuts, filter, counts, fingerprint |

No event is in two of train, valid and test; the input of a target is everything of its user before
it, which lies in several of them, so the inputs are written out too. Row order is the order;
`timestamp` is there where the log had it.
"""  # noqa: E501  (a table)

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seqrec.data.pairs import DRAWS, NegativesKind, evaluation_negatives, write_pairs
from seqrec.data.sequences import Sequences
from seqrec.data.split import Part, Split
from seqrec.errors import DataError
from seqrec.files import write_json
from seqrec.folder import Kind, whole_folder

EXPORT = Kind(
    format="seqrec export",
    version=1,
    suffixes=(".parquet", ".json"),
    unreadable=DataError,
)
PAIRS: dict[NegativesKind, str] = {"uniform": "pairs", "popularity": "pairs_popularity"}


def export(
    split: Split, folder: str | Path, *, draws: int = DRAWS, overwrite: bool = False
) -> None:
    """Writes the parts, the evaluation pairs and the protocol of a split, whole or not at all.

    Args:
        split: what to write.
        folder: must not exist, or be empty.
        draws: negatives for each positive of the pairs.
        overwrite: replace an export that is there.

    Raises:
        DataError: if a user leaves no item for a negative.
        ResourceError: if the folder may not be replaced, or the disk refuses.
    """
    with whole_folder(Path(folder), EXPORT, replace=overwrite) as aside:
        pq.write_table(_events(split, split.train), aside / "train.parquet")
        before = split.train.stops
        for part in (split.valid, split.test):
            after = _after_targets(part, before)
            table = _events(split, Sequences(split.dataset.items, before, after))
            is_target = np.zeros(table.num_rows, dtype=bool)
            ends = np.cumsum(after - before)
            is_target[ends[part.users] - 1] = True
            table = table.append_column("is_target", pa.array(is_target))
            pq.write_table(table, aside / f"{part.name}.parquet")
            before = after
            inputs = _events(split, part.inputs, part.users)
            pq.write_table(inputs, aside / f"{part.name}_inputs.parquet")
            for kind, suffix in PAIRS.items():
                negatives = evaluation_negatives(split, part, draws=draws, kind=kind)
                write_pairs(aside / f"{part.name}_{suffix}.parquet", split, part, negatives)
        write_json(aside / "protocol.json", protocol(split, draws))


def protocol(split: Split, draws: int = DRAWS) -> dict[str, Any]:
    """What the numbers of a split are computed on, as plain values."""
    parts = (split.valid, split.test)
    return {
        **split.protocol(),
        "users": split.dataset.n_users,
        "train_events": split.train.n_events,
        "evaluated": {part.name: len(part.users) for part in parts},
        "not_evaluated": split.not_evaluated,
        "cold_targets": {part.name: int(split.cold_targets(part).sum()) for part in parts},
        "filter_seen": split.filter_seen,
        "draws": draws,
        "audit": split.dataset.audit,
    }


def _after_targets(part: Part, before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each user's events up to the target of a part end; `before` where there is none."""
    stops = before.copy()
    stops[part.users] = part.inputs.stops[part.users] + 1
    return stops


def _events(split: Split, sequences: Sequences, users: NDArray[np.int32] | None = None) -> pa.Table:
    """The events inside the bounds, with raw ids and, where there are any, times.

    Those of some users, or of all where `users` is None.
    """
    dataset = split.dataset
    rows, places = sequences.places(users)
    columns = {
        "user_id": dataset.user_ids.arrow(rows if users is None else users[rows]),
        "item_id": dataset.item_ids.arrow(dataset.items[places] - 1),
    }
    if dataset.times is not None:
        columns["timestamp"] = pa.array(dataset.times[places])
    return pa.table(columns)
