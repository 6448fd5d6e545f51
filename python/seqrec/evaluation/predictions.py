"""The predictions of any library, judged by the same protocol: a frame of user, item and score.

Next item: each user's list, in the order of score (ties by smaller internal id); a target that is
not in the list is a miss. Relevance: a logit for every evaluation pair. Raw ids throughout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray

from seqrec.config import check
from seqrec.data.pairs import NegativesKind, evaluation_negatives
from seqrec.data.split import Part, Split
from seqrec.errors import DataError
from seqrec.evaluation.events import events_of
from seqrec.evaluation.intervals import RESAMPLES
from seqrec.evaluation.next_item import (
    EvalConfig,
    NextItemResult,
    next_item_protocol,
    next_item_result,
)
from seqrec.evaluation.relevance import (
    RelevanceResult,
    relevance_protocol,
    relevance_result,
    rows_with_positive,
)

COLUMNS = ("user_id", "item_id", "score")
LARGEST = np.finfo(np.float32).max  # that a logit can be
MOST_LOST = 0.01  # of the different scores: some of many float64 are one float32 by chance
# task -> how the negatives of its evaluation pairs are drawn
_RELEVANCE: dict[str, NegativesKind] = {
    "relevance": "uniform",
    "relevance-popularity": "popularity",
}


@dataclass(frozen=True, slots=True)
class _Predictions:
    """Rows of one evaluated user each: place of the user in the part, item id, score."""

    places: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    rows_unused: int


def judge_next_item(
    frame: Any, split: Split, part: Part, config: EvalConfig | None = None
) -> NextItemResult:
    """The ranks of the targets in lists that somebody else made.

    The seen filter removes items of the input from the lists, as it does from the catalogue; ties
    are broken by smaller internal id, whatever the config says. Scores are compared as they are
    given, or refused where float64 cannot tell them apart: whole-catalogue lists of float32 scores
    give what `evaluate_next_item` gives under the "order" ties.

    Args:
        frame: pandas, polars, Arrow or any table that narwhals reads, with the columns user_id,
            item_id and score; one row an item of a list.
        split: names the raw ids and the catalogue.
        part: whose targets are looked for.
        config: k and the seen filter.

    Raises:
        DataError: for what is no table or has no rows, a missing column, an unknown id, a pair that
            comes twice or a score that is no finite number; names the first.
    """
    config = dataclasses.replace(config or EvalConfig(), ties="order")
    protocol = next_item_protocol(split, part, config)
    rows = _read(frame, split, part)
    _refuse_repeats(rows, split, part)
    lists = _without_seen(rows, split, part) if protocol["filter_seen"] else rows
    positions = _positions(lists)
    is_target = lists.items == part.targets[lists.places]
    ranks = np.full(len(part.users), np.inf)
    ranks[lists.places[is_target]] = positions[is_target]
    tied = _tied(lists, is_target, len(part.users))
    everybody, no_lists = slice(0, len(part.users)), np.empty((len(part.users), 0), dtype=np.int32)
    result = next_item_result(split, part, everybody, ranks, tied, no_lists, protocol)
    listed = np.bincount(lists.places, minlength=len(part.users))
    counts = {
        "users_without_list": int((np.bincount(rows.places, minlength=len(listed)) == 0).sum()),
        "lists_shorter_than_k": int((listed < config.k).sum()),
        "rows_seen": len(rows.items) - len(lists.items),
        "rows_unused": rows.rows_unused,
    }
    return dataclasses.replace(result, counts={**result.counts, **counts})


def judge_relevance(
    frame: Any,
    split: Split,
    part: Part,
    negatives: NDArray[np.int32],
    *,
    kind: str = "uniform",
    resamples: int = RESAMPLES,
) -> RelevanceResult:
    """The logits of the evaluation pairs that somebody else made.

    Args:
        frame: as for `judge_next_item`; score is a logit, above 0 meaning that the user takes the
            item. A pair may come several times (an item drawn twice) if its score is the same.
        split: names the raw ids and the catalogue.
        part: whose targets are the positives.
        negatives: int32 [M, D], the evaluation negatives of the part.
        kind: what the negatives are, for the report: "uniform" or "popularity".
        resamples: bootstrap resamples of the 95 % intervals.

    Raises:
        DataError: for what is no table or has no rows, a missing column, an unknown id, two scores
            of one pair, a score that is no finite number, or a pair without a score; names the
            first.
    """
    protocol = relevance_protocol(split, part, negatives, kind=kind, resamples=resamples)
    rows = _read(frame, split, part)
    wanted = rows_with_positive(part)
    candidates = np.column_stack([part.targets[wanted], negatives[wanted]])
    keys, scores = _distinct_pairs(rows, split, part)
    wanted_keys = _keys(wanted[:, None], candidates, split.dataset.n_items)
    at = np.searchsorted(keys, wanted_keys).clip(max=max(len(keys) - 1, 0))
    known = keys[at] == wanted_keys if len(keys) else np.zeros(at.shape, dtype=np.bool_)
    if not known.all():
        row, column = np.argwhere(~known)[0]
        pair = _named(split, part.users[wanted[row]], candidates[row, column])
        raise DataError(
            f"the predictions lack {int((~known).sum())} of {known.size} evaluation pairs of the "
            f"part `{part.name}`; the first is {pair}"
        )
    judged = scores[at]
    logits = np.clip(judged, -LARGEST, LARGEST).astype(np.float32)
    _refuse_lost(judged, logits)
    result = relevance_result(split, part, wanted, negatives, logits, protocol)
    asked = np.isin(_keys(rows.places, rows.items, split.dataset.n_items), wanted_keys)
    unused = rows.rows_unused + int((~asked).sum())
    return dataclasses.replace(result, counts={**result.counts, "rows_unused": unused})


def _refuse_lost(scores: NDArray[Any], logits: NDArray[np.float32]) -> None:
    """Raises DataError where scores that differ are one as the float32 that they are judged as."""
    given, kept = len(np.unique(scores)), len(np.unique(logits))
    if kept < (1 - MOST_LOST) * given:
        raise DataError(
            f"of {given:,} different scores of the pairs {kept:,} are left in float32, as logits "
            "are judged: subtract what they have in common, or scale them"
        )


def judge(
    frame: Any, split: Split, part: Part, task: str, config: EvalConfig | None = None
) -> NextItemResult | RelevanceResult:
    """What a file of predictions is worth: for relevance, on the protocol's own pairs.

    Args:
        frame: as for `judge_next_item` and `judge_relevance`.
        split: names the raw ids and the catalogue.
        part: whose targets are looked for.
        task: "next_item", "relevance", or "relevance-popularity" for the pairs whose negatives are
            drawn by popularity.
        config: k, the seen filter and the resamples.

    Raises:
        ConfigError: for another task.
    """
    tasks = ("next_item", *_RELEVANCE)
    check(task in tasks, "task", task, f"one of {tasks}")
    if task == "next_item":
        return judge_next_item(frame, split, part, config)
    resamples, kind = (config or EvalConfig()).resamples, _RELEVANCE[task]
    negatives = evaluation_negatives(split, part, kind=kind)
    return judge_relevance(frame, split, part, negatives, kind=kind, resamples=resamples)


def _read(frame: Any, split: Split, part: Part) -> _Predictions:
    table = _table(frame)
    dataset = split.dataset
    users = _encode(dataset.user_ids, table["user_id"].to_list(), "user_id")
    items = _encode(dataset.item_ids, table["item_id"].to_list(), "item_id") + np.int32(1)
    scores = _numbers(table["score"].to_numpy())
    wrong = ~np.isfinite(scores)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"the score of {_named(split, users[row], items[row])} (row {row}) is {scores[row]}: "
            "scores must be finite"
        )
    place = np.full(dataset.n_users, -1, dtype=np.int64)
    place[part.users] = np.arange(len(part.users))
    places = place[users]
    used = places >= 0
    return _Predictions(places[used], items[used], scores[used], int((~used).sum()))


def _table(frame: Any) -> nw.DataFrame[Any]:
    """The frame as narwhals reads it: with all columns, and with rows."""
    try:
        table = nw.from_native(frame, eager_only=True)
        columns = table.columns
    except DuplicateError as error:
        said = " ".join(str(error).split())  # on one line
        raise DataError(f"the predictions have a column twice: {said}") from None
    except TypeError:
        raise DataError(
            f"the predictions are of the type {type(frame).__name__}: give a table of pandas, "
            "polars or Arrow"
        ) from None
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise DataError(f"the predictions lack the column `{missing[0]}`; found: {columns}")
    if not len(table):
        raise DataError(f"the predictions have no row, only the columns {columns}")
    return table


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind not in "iuf":  # times and flags would be cast without a word
        for row, value in enumerate(values):
            if not _is_number(value):
                raise DataError(
                    f"the column `score` of the predictions has {value!r} (row {row}), no number"
                )
    numbers = np.asarray(values, dtype=np.float64)
    if values.dtype.kind != "f":
        _refuse_merged(values, numbers)
    return numbers


def _refuse_merged(values: NDArray[Any], numbers: NDArray[np.float64]) -> None:
    """Raises DataError where scores differ and their float64 do not: they would be ties."""
    finite = np.flatnonzero(np.isfinite(numbers))
    exact = values[finite]
    if exact.dtype.kind not in "iu":
        exact = np.array([Decimal(str(value)) for value in exact], dtype=object)
    order = np.argsort(exact, kind="stable")
    exact, numbers = exact[order], numbers[finite][order]
    merged = np.flatnonzero((numbers[1:] == numbers[:-1]) & (exact[1:] != exact[:-1]))
    if len(merged):
        first = int(merged[0])
        raise DataError(
            f"the column `score` of the predictions has {exact[first]} and {exact[first + 1]} (row "
            f"{finite[order[first + 1]]}), which are one number in float64: subtract a constant, "
            "or give ranks"
        )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return not isinstance(value, bool | np.bool_ | np.datetime64 | np.timedelta64)


def _encode(vocabulary: Any, values: Sequence[Any], column: str) -> NDArray[np.int32]:
    try:
        codes = vocabulary.encode(values)
    except DataError as error:
        raise DataError(f"the column `{column}` of the predictions: {error}") from None
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise DataError(
            f"the predictions name {int((codes < 0).sum())} `{column}` that the data does not "
            f"have; the first is {values[row]!r} (row {row})"
        )
    return codes


def _without_seen(rows: _Predictions, split: Split, part: Part) -> _Predictions:
    n_items = split.dataset.n_items
    seen = _keys(*events_of(part.inputs, part.users), n_items)
    kept = ~np.isin(_keys(rows.places, rows.items, n_items), seen)
    return _Predictions(rows.places[kept], rows.items[kept], rows.scores[kept], rows.rows_unused)


def _positions(lists: _Predictions) -> NDArray[np.int64]:
    """The position of each row in its user's list, 1 for the first: int64 [rows]."""
    order = np.lexsort((lists.items, -lists.scores, lists.places))
    places = lists.places[order]
    positions = np.empty(len(order), dtype=np.int64)
    positions[order] = np.arange(len(order)) - np.searchsorted(places, places) + 1
    return positions


def _tied(lists: _Predictions, is_target: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Whether another item of the list has the target's score: bool [n]."""
    score = np.full(n, np.nan, dtype=np.float64)
    score[lists.places[is_target]] = lists.scores[is_target]
    others = (lists.scores == score[lists.places]) & ~is_target
    return np.bincount(lists.places[others], minlength=n) > 0


def _keys(places: NDArray[np.int64], items: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """One number for each (place of the user, item)."""
    return places * (n_items + 1) + items


def _refuse_repeats(rows: _Predictions, split: Split, part: Part) -> None:
    keys = _keys(rows.places, rows.items, split.dataset.n_items)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = int(first[counts > 1][0])
        pair = _named(split, part.users[rows.places[row]], rows.items[row])
        raise DataError(
            f"{int((counts > 1).sum())} pairs of the predictions come more than once; the first "
            f"is {pair}"
        )


def _distinct_pairs(
    rows: _Predictions, split: Split, part: Part
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(ascending keys of the pairs, their scores)."""
    keys = _keys(rows.places, rows.items, split.dataset.n_items)
    distinct, first, group = np.unique(keys, return_index=True, return_inverse=True)
    scores = rows.scores[first]
    differ = rows.scores != scores[group]
    if differ.any():
        row = int(differ.argmax())
        pair = _named(split, part.users[rows.places[row]], rows.items[row])
        raise DataError(
            f"{pair} has two scores, {scores[group[row]]} and {rows.scores[row]}: one is needed"
        )
    return distinct, scores


def _named(split: Split, user: Any, item: Any) -> str:
    user_id = split.dataset.user_ids.shown(user)
    return f"user {user_id} and item {split.dataset.item_ids.shown(item - 1)}"
