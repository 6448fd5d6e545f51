"""From raw ids to recommended raw ids: for known users, for new sequences, for given pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqrec import _core
from seqrec.data import Dataset, Sequences, Vocabulary
from seqrec.errors import ConfigError, DataError
from seqrec.experiment.scorer import ModelPairScorer, ModelScorer

BATCH_USERS = 256
UnknownPolicy = Literal["skip", "error"]


@dataclass(frozen=True, slots=True)
class Queries:
    """Who is asked about: a label and a history for each row.

    Attributes:
        labels: what the rows are called in the output, raw user ids or numbers of sequences.
        sequences: the histories in internal ids, one "user" a row.
        unknown_items: how many events were left out because the model does not know their item.
    """

    labels: NDArray[Any]
    sequences: Sequences
    unknown_items: int


def known_users(dataset: Dataset, users: Iterable[Any] | None) -> Queries:
    """The whole histories of users of a prepared data set; None means all of them.

    Raises:
        DataError: for a user that the data set does not hold, by its raw id.
    """
    whole = dataset.sequences
    if users is None:
        codes = np.arange(dataset.n_users)
    else:
        unknown = "user {} is not in the data set: give `sequences` instead"
        codes = dataset.user_ids.encode_known(list(users), unknown)
    labels = dataset.user_ids.decode(codes)
    return Queries(labels, Sequences(whole.items, whole.starts[codes], whole.stops[codes]), 0)


def new_sequences(
    item_ids: Vocabulary, sequences: Sequence[Sequence[Any]], unknown: UnknownPolicy
) -> Queries:
    """Histories in raw item ids, oldest first, of users that no data set needs to know.

    Raises:
        DataError: for an unknown item where `unknown` is "error"; names the sequence and the item.
        ConfigError: for an unknown policy, or for text where a list of items is meant.
    """
    if unknown not in ("skip", "error"):
        raise ConfigError(f"option `unknown` is {unknown!r}: it must be 'skip' or 'error'")
    encoded: list[list[int]] = []
    skipped = 0
    for row, sequence in enumerate(sequences):
        if isinstance(sequence, str):
            raise ConfigError(f"sequence {row} is text: give a list of item ids")
        raw = list(sequence)
        codes = item_ids.encode(raw)
        lost = np.flatnonzero(codes < 0)
        if len(lost) and unknown == "error":
            raise DataError(f"sequence {row}: item {raw[int(lost[0])]!r} is unknown to the model")
        skipped += len(lost)
        encoded.append((codes[codes >= 0] + 1).tolist())
    return Queries(np.arange(len(encoded)), Sequences.from_lists(encoded), skipped)


def catalogue_ids(item_ids: Vocabulary, items: Iterable[Any], what: str) -> NDArray[np.int32]:
    """Internal ids of raw items that an option names, each once, ascending.

    Raises:
        DataError: for an item that the model does not know.
    """
    unknown = f"option `{what}` names item {{}}, which the model does not know"
    codes = item_ids.encode_known(list(items), unknown)
    return np.unique(codes + 1).astype(np.int32)


def top_items(
    scorer: ModelScorer,
    queries: Queries,
    item_ids: Vocabulary,
    *,
    task: str,
    k: int,
    filter_seen: bool,
    exclude: NDArray[np.int32],
    candidates: NDArray[np.int32] | None,
) -> pd.DataFrame:
    """The best k items of each row: user_id, item_id, score, probability, rank (from 1).

    Equal scores are ordered by internal id. Fewer than k rows come back where fewer items remain.
    """
    if k < 1:
        raise ConfigError(f"option `k` is {k}: it must be at least 1")
    tables = []
    for at in range(0, len(queries.labels), BATCH_USERS):
        users = np.arange(at, min(at + BATCH_USERS, len(queries.labels)), dtype=np.int32)
        scores = _scores(scorer, queries.sequences, users, len(item_ids), candidates)
        s = queries.sequences
        items, best = _core.top_k(
            scores, k, s.items, s.starts, s.stops, users, filter_seen, exclude
        )
        tables.append(_table(queries.labels[users], items, best, scores, item_ids, task))
    if not tables:
        raise DataError("nobody to recommend to: no users and no sequences were given")
    result = pd.concat(tables, ignore_index=True)
    result.attrs["unknown_items"] = queries.unknown_items
    return result


def judged_pairs(
    scorer: ModelScorer,
    queries: Queries,
    item_ids: Vocabulary,
    candidates: Sequence[Sequence[Any]],
    *,
    task: str,
) -> pd.DataFrame:
    """user_id, item_id, score, probability of given items, in the order given.

    Raises:
        ConfigError: if there is not one list of candidates for each row of the queries.
        DataError: for a candidate that the model does not know.
    """
    if len(candidates) != len(queries.labels):
        raise ConfigError(
            f"option `candidates` has {len(candidates)} lists for {len(queries.labels)} histories: "
            "it must have one for each"
        )
    counts = np.array([len(asked) for asked in candidates])
    raw = [item for asked in candidates for item in asked]
    codes = item_ids.encode_known(raw, "candidate {} is unknown to the model")
    rows, places = np.repeat(np.arange(len(counts)), counts), _places(counts)
    asked = np.ones((len(counts), max(1, int(counts.max(initial=1)))), dtype=np.int32)
    asked[rows, places] = codes + 1
    users = np.arange(len(counts), dtype=np.int32)
    if task == "relevance":
        score = ModelPairScorer(scorer)(queries.sequences, users, asked)[rows, places]
        score = score.astype(np.float64)
        probability = _sigmoid(score)
    else:
        score, probability = _catalogue_share(scorer, queries.sequences, users, rows, codes)
    return pd.DataFrame(
        {
            "user_id": queries.labels[rows],
            "item_id": item_ids.decode(codes),
            "score": score,
            "probability": probability,
        }
    )


def _places(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, .. within each row."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)


def _catalogue_share(
    scorer: ModelScorer,
    sequences: Sequences,
    users: NDArray[np.int32],
    rows: NDArray[np.int64],
    codes: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and softmax share of items `codes` (from 0) for the users of `rows`, by chunks."""
    score = np.empty(len(rows))
    probability = np.empty(len(rows))
    for at in range(0, len(users), BATCH_USERS):
        scores = scorer(sequences, users[at : at + BATCH_USERS]).cpu().numpy()
        inside = (rows >= at) & (rows < at + BATCH_USERS)
        score[inside] = scores[rows[inside] - at, codes[inside]]
        probability[inside] = np.exp(score[inside] - _log_sum_exp(scores)[rows[inside] - at])
    return score, probability


def _scores(
    scorer: ModelScorer,
    sequences: Sequences,
    users: NDArray[np.int32],
    n_items: int,
    candidates: NDArray[np.int32] | None,
) -> NDArray[np.float32]:
    """float32 [B, n_items], -inf for items that are no candidates."""
    if candidates is None:
        return np.ascontiguousarray(scorer(sequences, users).cpu().numpy())
    asked = np.broadcast_to(candidates, (len(users), len(candidates)))
    scores = np.full((len(users), n_items), -np.inf, dtype=np.float32)
    scores[:, candidates - 1] = ModelPairScorer(scorer)(sequences, users, asked)
    return scores


def _table(
    labels: NDArray[Any],
    items: NDArray[np.int32],
    best: NDArray[np.float32],
    scores: NDArray[np.float32],
    item_ids: Vocabulary,
    task: str,
) -> pd.DataFrame:
    rows, places = np.nonzero(items)
    score = best[rows, places].astype(np.float64)
    if task == "relevance":
        probability = _sigmoid(score)
    else:
        probability = np.exp(score - _log_sum_exp(scores)[rows])
    return pd.DataFrame(
        {
            "user_id": labels[rows],
            "item_id": item_ids.decode(items[rows, places] - 1),
            "score": score,
            "probability": probability,
            "rank": places + 1,
        }
    )


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(-np.logaddexp(0.0, -logit))


def _log_sum_exp(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = scores.astype(np.float64)
    top = wide.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(wide - top).sum(axis=1, keepdims=True)))[:, 0]
