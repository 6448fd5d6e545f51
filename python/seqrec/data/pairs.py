"""The pairs of the relevance task: evaluation negatives by the protocol's keyed draws.

A negative depends on the protocol version, the part, the raw user id and the draw alone: not on a
seed, a row or a thread. `write_pairs` writes them, so that any library can be scored on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.split import Part, Split
from seqrec.errors import DataError, ResourceError

DRAWS = 10
NegativesKind = Literal["uniform", "popularity"]


def evaluation_negatives(
    split: Split, part: Part, *, draws: int = DRAWS, kind: NegativesKind = "uniform"
) -> NDArray[np.int32]:
    """Items that the users of a part have not taken up to their target: int32 [M, draws].

    Args:
        split: where the part belongs.
        part: `split.valid` or `split.test`.
        draws: independent negatives for each positive.
        kind: "uniform", or "popularity": in proportion to training counts.

    Returns:
        The negatives; item 1 in the rows of users who are left out, since their target is no
        positive (`is_positive`).

    Raises:
        DataError: if a user has taken the whole catalogue (or every item that was trained on).
    """
    check(draws >= 1, "draws", draws, "at least 1")
    check(kind in get_args(NegativesKind), "kind", kind, f"one of {get_args(NegativesKind)}")
    offsets, data = split.dataset.user_ids.texts()
    excluded, judged = part.through_target, is_positive(part)
    counts = split.item_counts if kind == "popularity" else None
    users = part.users[judged]
    negatives = np.ones((len(part.users), draws), dtype=np.int32)
    try:
        negatives[judged] = _core.draw_evaluation_negatives(
            kind, part.name, offsets, data, excluded.items, excluded.starts, excluded.stops,
            users, split.dataset.n_items, draws, counts,
        )  # fmt: skip
    except DataError:
        # the kernel knows codes alone: a user with no item left is reported by raw id
        weights = np.ones_like(split.item_counts) if counts is None else counts
        _refuse_full_users(split, part, users, weights)
        raise
    return negatives


def _refuse_full_users(
    split: Split, part: Part, users: NDArray[np.int32], weights: NDArray[np.int64]
) -> None:
    """Raises DataError if one of the users has taken every item that has a weight."""
    excluded, n_drawable = part.through_target, np.count_nonzero(weights)
    for user in users:
        taken = np.unique(excluded.user(user))
        if np.count_nonzero(weights[taken - 1]) >= n_drawable:
            raise DataError(
                f"user {split.dataset.user_ids.shown(user)} has taken all {n_drawable} items that "
                f"can be drawn (the target of the part `{part.name}` counts), so no negative "
                "exists: take that user's rows out of the log, or a part of them"
            )


def is_positive(part: Part) -> NDArray[np.bool_]:
    """Which targets are positives of the relevance task: not in their own history; bool [M]."""
    inputs = part.inputs
    return ~_core.contain(inputs.items, inputs.starts, inputs.stops, part.users, part.targets)


def write_pairs(path: str | Path, split: Split, part: Part, negatives: NDArray[np.int32]) -> None:
    """Writes pairs as Parquet: user_id, item_id (raw), label (1 or 0), draw (0-based).

    Each draw is complete: every positive once, and its negative after it. Users whose target is in
    their history already are left out: it is no positive.

    Args:
        path: of the file.
        split: where the part belongs.
        part: `split.valid` or `split.test`.
        negatives: int32 [M, draws], from `evaluation_negatives`.

    Raises:
        ResourceError: if the disk refuses.
    """
    kept = is_positive(part)
    users = np.repeat(part.users[kept], 2)
    labels = pa.array(np.tile(np.array([1, 0], dtype=np.int8), int(kept.sum())))
    user_ids = split.dataset.user_ids.arrow(users)
    schema = pa.schema(
        {
            "user_id": user_ids.type,
            "item_id": split.dataset.item_ids.ids.type,
            "label": pa.int8(),
            "draw": pa.int16(),
        }
    )
    try:
        with pq.ParquetWriter(path, schema) as writer:
            for draw in range(negatives.shape[1]):
                items = np.stack([part.targets[kept], negatives[kept, draw]], axis=1).ravel()
                item_ids = split.dataset.item_ids.arrow(items - 1)
                draws = pa.array(np.full(len(users), draw, dtype=np.int16))
                writer.write_table(pa.table([user_ids, item_ids, labels, draws], schema=schema))
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from None
