"""How likely a user takes *this* item: one positive against drawn negatives, 1 : 1 in each draw.

The negatives come with the data (`seqrec.data.pairs`), keyed by raw ids, so every system is judged
on the same pairs. A user whose target is already in the input has no positive and is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seqrec.config import check
from seqrec.data.pairs import is_positive
from seqrec.data.split import Part, Split
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError
from seqrec.evaluation import metrics
from seqrec.evaluation.intervals import (
    RESAMPLES,
    Difference,
    Estimate,
    auc_difference,
    auc_estimate,
    mean_difference,
    mean_estimates,
)
from seqrec.evaluation.per_user import check_same_users
from seqrec.evaluation.protocol import evaluation_protocol
from seqrec.evaluation.report import Report
from seqrec.evaluation.scorers import PairScorer, check_finite, check_shape, host_scores
from seqrec.evaluation.shards import shard
from seqrec.table import write_table

METRICS = ("accuracy", "auc", "logloss", "ece")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceResult:
    """The logits of each user's pairs.

    Attributes:
        users: int32 [M], user codes.
        targets: int32 [M], item ids of the positives.
        positives: float32 [M], logits of the targets.
        negatives: float32 [M, D], logits of the negatives, a column for each draw.
        protocol: the rules that were used.
        counts: what else was counted: users that the split leaves out (not_evaluated), and those
            left out because they have taken the target before (no_positive).
        drawn: SHA-256 of the negatives of the part; "" of results from before it was kept.
    """

    users: NDArray[np.int32]
    targets: NDArray[np.int32]
    positives: NDArray[np.float32]
    negatives: NDArray[np.float32]
    protocol: dict[str, Any]
    counts: dict[str, int]
    drawn: str = ""

    def per_user(self) -> dict[str, NDArray[np.float64]]:
        """The metrics that are means over users: accuracy and logloss, float64 [M]."""
        return {
            "accuracy": metrics.accuracy(self.positives, self.negatives),
            "logloss": metrics.log_loss(self.positives, self.negatives),
        }

    def values(self) -> dict[str, float]:
        """The values alone, without intervals: what training watches."""
        means = {name: float(values.mean()) for name, values in self.per_user().items()}
        pairs = (self.positives, self.negatives)
        return {**means, "auc": metrics.auc(*pairs), "ece": metrics.ece(*pairs)}

    def report(self, system: str = "model") -> Report:
        """Accuracy, AUC, log-loss and calibration, with 95 % intervals over users.

        The calibration error has no interval: it is biased upwards in every resample.
        """
        if not len(self.users):
            raise DataError("0 users evaluated")
        resamples, pairs = self.protocol["resamples"], (self.positives, self.negatives)
        columns = self.per_user()
        accuracy, logloss = mean_estimates(np.column_stack([*columns.values()]), resamples)
        counts = {"users": len(self.users), **self.counts}
        found = {
            "accuracy": accuracy,
            "auc": auc_estimate(*pairs, resamples),
            "logloss": logloss,
            "ece": Estimate(metrics.ece(*pairs)),
        }
        return Report(system=system, protocol=dict(self.protocol), metrics=found, counts=counts)

    def table(self, user_ids: Vocabulary, item_ids: Vocabulary) -> pa.Table:
        """One row a user in raw ids: user_id, target, the logit of the target and every metric."""
        columns = {
            "user_id": user_ids.arrow(self.users),
            "target": item_ids.arrow(self.targets - 1),
            "logit": self.positives,
        }
        return pa.table({**columns, **self.per_user()})

    def write(self, path: Path, user_ids: Vocabulary, item_ids: Vocabulary) -> None:
        """Writes `table` as Parquet or CSV, as the name says, whole or not at all."""
        write_table(path, self.table(user_ids, item_ids))


def evaluate_relevance(
    scorer: PairScorer,
    split: Split,
    part: Part,
    negatives: NDArray[np.int32],
    *,
    kind: str = "uniform",
    batch_size: int = 256,
    resamples: int = RESAMPLES,
    rank: int = 0,
    world_size: int = 1,
) -> RelevanceResult:
    """The logits of every positive of the part and of its negatives.

    Args:
        scorer: gives logits [B, C] for users [B] and candidates [B, C].
        split: names the catalogue.
        part: the inputs and targets: `split.valid` or `split.test`.
        negatives: int32 [M, D], item ids drawn for the users of the part, a column for each draw.
        kind: what the negatives are, for the report: "uniform" or "popularity".
        batch_size: users scored at once.
        resamples: bootstrap resamples of the 95 % intervals.
        rank: this process, of `world_size`; `merge` or `all_gather` puts the results together.
        world_size: number of processes.

    Raises:
        DataError: if the part has no user, a logit is NaN or infinite (names the user), or the
            negatives do not belong to the part.
    """
    protocol = relevance_protocol(split, part, negatives, kind=kind, resamples=resamples)
    rows = rows_with_positive(part)
    logits = [np.empty((0, 1 + negatives.shape[1]), dtype=np.float32)]
    chunks = shard(len(rows), batch_size, rank, world_size)
    for chunk in chunks:
        users = part.users[rows[chunk]]
        candidates = np.column_stack([part.targets[rows[chunk]], negatives[rows[chunk]]])
        scores = scorer(part.inputs, users, candidates)
        check_shape(scores, candidates.shape)
        logits.append(host_scores(scores))
        check_finite(logits[-1], users, split.dataset.user_ids)
    mine = rows[chunks[0].start : chunks[-1].stop] if chunks else rows[:0]
    return relevance_result(split, part, mine, negatives, np.concatenate(logits), protocol)


def relevance_result(
    split: Split,
    part: Part,
    rows: NDArray[np.int64],
    negatives: NDArray[np.int32],
    logits: NDArray[np.float32],
    protocol: dict[str, Any],
) -> RelevanceResult:
    """Logits [len(rows), 1 + D] of the users part.users[rows], the positive in the first column.

    The negatives [M, D] are those of the whole part.
    """
    return RelevanceResult(
        users=part.users[rows],
        targets=part.targets[rows],
        positives=np.ascontiguousarray(logits[:, 0]),
        negatives=np.ascontiguousarray(logits[:, 1:]),
        protocol=protocol,
        counts={
            "not_evaluated": split.not_evaluated,
            "no_positive": len(part.users) - len(rows_with_positive(part)),
        },
        drawn=hashlib.sha256(negatives.tobytes()).hexdigest(),
    )


def rows_with_positive(part: Part) -> NDArray[np.int64]:
    """The rows of the part whose target is not yet in the input: int64 [<= M]."""
    rows = np.flatnonzero(is_positive(part))
    if not len(rows):
        raise DataError(
            f"0 users evaluated: every target of the part `{part.name}` is in its user's input"
        )
    return rows


def relevance_protocol(
    split: Split, part: Part, negatives: NDArray[np.int32], *, kind: str, resamples: int
) -> dict[str, Any]:
    """The rules of an evaluation as plain values, checked against the part."""
    check(resamples >= 1, "resamples", resamples, "at least 1")
    n_items = split.dataset.n_items
    if negatives.ndim != 2 or len(negatives) != len(part.users) or not negatives.shape[1]:
        raise DataError(
            f"the negatives have shape {negatives.shape}, but the part `{part.name}` has "
            f"{len(part.users)} users: one row each, one column for each draw"
        )
    outside = (negatives < 1) | (negatives > n_items)
    if outside.any():
        row = int(outside.any(axis=1).argmax())
        raise DataError(
            f"negative item id {negatives[row][outside[row]][0]} (row {row}) is outside "
            f"1..={n_items}"
        )
    rules = {"negatives": kind, "draws": negatives.shape[1]}
    return evaluation_protocol(split, part, "relevance", rules, resamples)


def compare_relevance(
    first: RelevanceResult, second: RelevanceResult, only: Collection[str] = METRICS
) -> dict[str, Difference]:
    """First minus second on the same pairs, metric by metric, with paired intervals.

    Args:
        first: one system's logits.
        second: another's, of the same users.
        only: the metrics that are asked for. Of those, ece has no difference, and auc takes longer
            than all others, since each resample ranks all pairs anew.

    Raises:
        DataError: if the two runs were not evaluated on the same pairs by one protocol.
    """
    check_same_users(first, second)
    if first.drawn and second.drawn and first.drawn != second.drawn:
        raise DataError("the runs cannot be compared: other negatives were drawn for each of them")
    one, two, resamples = first.per_user(), second.per_user(), first.protocol["resamples"]
    pairs = [(system.positives, system.negatives) for system in (first, second)]
    differences = {
        "accuracy": lambda: mean_difference(one["accuracy"], two["accuracy"], resamples=resamples),
        "auc": lambda: auc_difference(*pairs, resamples=resamples),
        "logloss": lambda: mean_difference(
            one["logloss"], two["logloss"], higher_is_better=False, resamples=resamples
        ),
    }
    return {name: difference() for name, difference in differences.items() if name in only}
