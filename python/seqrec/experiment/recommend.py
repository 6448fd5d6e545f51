"""From raw ids to recommended raw ids: for known users, for new sequences, for given pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data import Dataset, Sequences, Vocabulary
from seqrec.data.vocabulary import UNKNOWN
from seqrec.errors import ConfigError, DataError
from seqrec.evaluation.metrics import probability
from seqrec.evaluation.scorers import host_scores
from seqrec.experiment.scorer import ModelPairScorer, ModelScorer
from seqrec.tokens import PAD

BATCH_USERS = 256
BATCH_SCORES = 2**26  # of a batch at most: 256 MiB
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
        ConfigError: for text where a list of users is meant.
        DataError: for a user that the data set does not hold, by its raw id.
    """
    whole = dataset.sequences
    if users is None:
        codes = np.arange(dataset.n_users)
    else:
        unknown = "user {} is not in the data set: give `sequences` instead"
        codes = dataset.user_ids.encode_known(_ids(users, "users"), unknown)
    labels = dataset.user_ids.decode(codes)
    return Queries(labels, Sequences(whole.items, whole.starts[codes], whole.stops[codes]), 0)


def new_sequences(
    item_ids: Vocabulary, sequences: Iterable[Iterable[Any]], unknown: UnknownPolicy
) -> Queries:
    """Histories in raw item ids, oldest first, of users that no data set needs to know.

    Raises:
        DataError: for an unknown item where `unknown` is "error"; names the sequence and the item.
        ConfigError: for text or a set where a list of items is meant.
    """
    sequences = _lists(sequences, "sequences")
    raw = [item for sequence in sequences for item in sequence]
    rows = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences])
    try:
        codes = item_ids.encode(raw)
    except DataError:
        _refuse_sequence(item_ids, sequences)
        raise
    lost = codes == UNKNOWN
    if lost.any() and unknown == "error":
        first = int(lost.argmax())
        raise DataError(f"sequence {rows[first]}: item {raw[first]!r} is unknown to the model")
    offsets = np.zeros(len(sequences) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows[~lost], minlength=len(sequences)), out=offsets[1:])
    histories = Sequences(codes[~lost] + np.int32(1), offsets[:-1], offsets[1:])
    return Queries(np.arange(len(sequences)), histories, int(lost.sum()))


def _refuse_sequence(item_ids: Vocabulary, sequences: list[list[Any]]) -> None:
    """Raises DataError for the first sequence that cannot be encoded, by its number."""
    for row, sequence in enumerate(sequences):
        try:
            item_ids.encode(sequence)
        except DataError as error:
            raise DataError(f"sequence {row}: {error}") from None


def catalogue_ids(item_ids: Vocabulary, items: Iterable[Any], what: str) -> NDArray[np.int32]:
    """Internal ids of raw items that an option names, each once, ascending.

    Raises:
        ConfigError: for text where a list of items is meant.
        DataError: for an item that the model does not know.
    """
    unknown = f"option `{what}` names item {{}}, which the model does not know"
    codes = item_ids.encode_known(_ids(items, what), unknown)
    return np.unique(codes + 1).astype(np.int32)


def _ids(ids: Iterable[Any], what: str) -> list[Any]:
    """The ids as a list; text would be taken for a list of its characters."""
    single = isinstance(ids, str | bytes) or getattr(ids, "ndim", 1) == 0
    is_list = isinstance(ids, Iterable) and not single
    check(is_list, what, ids, "a list of ids")
    array: Any = ids  # of Arrow or torch, whose elements are no ids
    if isinstance(ids, torch.Tensor):
        return array.tolist()
    return array.to_pylist() if isinstance(ids, pa.Array | pa.ChunkedArray) else list(ids)


def _lists(lists: Iterable[Iterable[Any]], what: str) -> list[list[Any]]:
    """Lists of ids in their order, which a set has lost."""
    found = []
    for row, ids in enumerate(_ids(lists, what)):
        check(
            not isinstance(ids, set | frozenset),
            f"{what}[{row}]",
            ids,
            "a list of ids in their order",
        )
        found.append(_ids(ids, f"{what}[{row}]"))
    return found


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
    is_whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    check(is_whole and k >= 1, "k", k, "an integer, at least 1")
    check(isinstance(filter_seen, bool | np.bool_), "filter_seen", filter_seen, "True or False")
    k = min(int(k), len(item_ids))  # nobody gets more, and memory is not asked for it
    tables, empty, step = [], 0, _batch_users(len(item_ids))
    for at in range(0, len(queries.labels), step):
        users = np.arange(at, min(at + step, len(queries.labels)), dtype=np.int32)
        s = queries.sequences
        scores, log_total = _scores(scorer, s, users, len(item_ids), candidates, task)
        items, best = _core.top_k(
            scores, k, s.items, s.starts, s.stops, users, filter_seen, exclude
        )
        empty += int((items == PAD).all(axis=1).sum())
        tables.append(_table(queries.labels[users], items, best, log_total, item_ids))
    if not tables:
        raise DataError("nobody to recommend to: no users and no sequences were given")
    result = pd.concat(tables, ignore_index=True)
    result.attrs["unknown_items"] = queries.unknown_items
    result.attrs["empty_lists"] = empty
    return result


def judged_pairs(
    scorer: ModelScorer,
    queries: Queries,
    item_ids: Vocabulary,
    candidates: Iterable[Iterable[Any]],
    *,
    task: str,
) -> pd.DataFrame:
    """user_id, item_id, score, probability of given items, in the order given.

    Raises:
        ConfigError: if there is not one list of candidates for each row of the queries, or a text
            or set in place of one.
        DataError: for a candidate that the model does not know, or a score that is not finite.
    """
    asked_ids = _lists(candidates, "candidates")
    if len(asked_ids) != len(queries.labels):
        raise ConfigError(
            f"option `candidates` has {len(asked_ids)} lists for {len(queries.labels)} histories: "
            "it must have one for each"
        )
    counts = np.array([len(ids) for ids in asked_ids], dtype=np.int64)
    raw = [item for ids in asked_ids for item in ids]
    codes = item_ids.encode_known(raw, "candidate {} is unknown to the model")
    rows, places = np.repeat(np.arange(len(counts)), counts), _places(counts)
    asked = np.ones((len(counts), max(1, int(counts.max(initial=1)))), dtype=np.int32)
    asked[rows, places] = codes + 1
    users = np.arange(len(counts), dtype=np.int32)
    with np.errstate(invalid="ignore"):  # what is not finite is refused below
        if task == "relevance":
            score = ModelPairScorer(scorer)(queries.sequences, users, asked)[rows, places]
            score = score.astype(np.float64)
            chance = probability(score)
        else:
            step = _batch_users(len(item_ids))
            score, chance = _catalogue_share(scorer, queries.sequences, users, rows, codes, step)
    judged = pd.DataFrame(
        {
            "user_id": queries.labels[rows],
            "item_id": item_ids.decode(codes),
            "score": score,
            "probability": chance,
        }
    )
    _refuse_infinite(judged, ~(np.isfinite(score) & np.isfinite(chance)))
    judged.attrs["unknown_items"] = queries.unknown_items
    return judged


def _refuse_infinite(judged: pd.DataFrame, wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        first = {name: judged[name].iloc[int(wrong.argmax())] for name in judged}
        raise DataError(
            f"the model gives item {first['item_id']} a score of {first['score']} and a "
            f"probability of {first['probability']} for {first['user_id']}: its weights are not "
            "finite"
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
    step: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and softmax share of items `codes` (from 0) for the users of `rows`, `step` at once."""
    score = np.empty(len(rows))
    share = np.empty(len(rows))
    for at in range(0, len(users), step):
        scores = host_scores(scorer(sequences, users[at : at + step]))
        inside = (rows >= at) & (rows < at + step)
        score[inside] = scores[rows[inside] - at, codes[inside]]
        share[inside] = np.exp(score[inside] - _log_sum_exp(scores)[rows[inside] - at])
    return score, share


def _scores(
    scorer: ModelScorer,
    sequences: Sequences,
    users: NDArray[np.int32],
    n_items: int,
    candidates: NDArray[np.int32] | None,
    task: str,
) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Scores [B, n_items], -inf for what is no candidate, and for next item log sum exp [B].

    That sum is over the whole catalogue, whatever the candidates: a probability does not depend on
    what else was asked about.
    """
    if candidates is not None and task == "relevance":
        asked = np.broadcast_to(candidates, (len(users), len(candidates)))
        scores = np.full((len(users), n_items), -np.inf, dtype=np.float32)
        scores[:, candidates - 1] = ModelPairScorer(scorer)(sequences, users, asked)
        return scores, None
    scores = host_scores(scorer(sequences, users))
    log_total = _log_sum_exp(scores) if task == "next_item" else None
    if candidates is not None:
        others = np.ones(n_items, dtype=bool)
        others[candidates - 1] = False
        scores = np.where(others, np.float32(-np.inf), scores)
    return scores, log_total


def _table(
    labels: NDArray[Any],
    items: NDArray[np.int32],
    best: NDArray[np.float32],
    log_total: NDArray[np.float64] | None,
    item_ids: Vocabulary,
) -> pd.DataFrame:
    rows, places = np.nonzero(items)
    score = best[rows, places].astype(np.float64)
    return pd.DataFrame(
        {
            "user_id": labels[rows],
            "item_id": item_ids.decode(items[rows, places] - 1),
            "score": score,
            "probability": probability(score)
            if log_total is None
            else np.exp(score - log_total[rows]),
            "rank": places + 1,
        }
    )


def _batch_users(n_items: int) -> int:
    """How many users are scored at once."""
    return min(BATCH_USERS, max(1, BATCH_SCORES // n_items))


def _log_sum_exp(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log sum exp of each row, summed in float64; beside the scores it holds a single row."""
    top = scores.max(axis=1)
    with np.errstate(invalid="ignore"):  # what is not finite is refused where it is used
        total = [np.exp(row - t).sum(dtype=np.float64) for row, t in zip(scores, top, strict=True)]
        return top + np.log(total)
