"""Which item of the whole catalogue comes next: every target is ranked among all items.

Users go through in chunks, so memory is O(batch_size * n_items) and never users times items. The
rules (seen filter, ties, misses, cold targets) are those of the protocol, version 1, and a result
prints which of them it used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.pairs import is_positive
from seqrec.data.split import Part, Split
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError
from seqrec.evaluation.intervals import (
    RESAMPLES,
    Difference,
    Estimate,
    mean_difference,
    mean_estimates,
)
from seqrec.evaluation.per_user import check_same_users
from seqrec.evaluation.protocol import evaluation_protocol
from seqrec.evaluation.ranking import Counts, Ties, count, first_items, ranks
from seqrec.evaluation.report import Report
from seqrec.evaluation.scorers import NextItemScorer, Scores, check_finite, check_shape, host_scores
from seqrec.evaluation.shards import shard
from seqrec.table import write_table

METRICS = ("hit", "ndcg", "mrr", "recall")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalConfig:
    """How next-item scores are turned into numbers.

    Attributes:
        filter_seen: leave out the items of a user's input; None: what the split says, on unless
            users repeat items.
        ties: rank of a target among equal scores: "mean", "order" (smaller id first) or "worst".
        k: length of the list that the metrics look at.
        lists: keep each user's first k items, too, and report how much of the catalogue they cover.
        batch_size: users scored at once; it bounds the memory, and changes scores by rounding
            alone.
        resamples: bootstrap resamples of the 95 % intervals.
    """

    filter_seen: bool | None = None
    ties: Ties = "mean"
    k: int = 10
    lists: bool = False
    batch_size: int = 256
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        ties = ("mean", "order", "worst")
        check(self.ties in ties, "evaluation.ties", self.ties, f"one of {ties}")
        for name in ("k", "batch_size", "resamples"):
            value = getattr(self, name)
            check(value >= 1, f"evaluation.{name}", value, "at least 1")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what next-item evaluation measures, as `ndcg@10`."""
        named = [*METRICS, "coverage"] if self.lists else METRICS
        return tuple(f"{name}@{self.k}" for name in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextItemResult:
    """Where the target of each user stands.

    Attributes:
        users: int32 [M], user codes.
        targets: int32 [M], item ids.
        ranks: float64 [M], 1 for the first; infinite for a miss.
        tied: bool [M], other items have the target's score.
        target_in_input: bool [M], the user has taken the target before.
        cold: bool [M], the target has no training event.
        lists: int32 [M, k], the first items of each user by score, ties by smaller id, PAD where
            fewer remain; [M, 0] if they were not asked for.
        protocol: the rules that were used.
        counts: what else was counted: users that the split leaves out (not_evaluated).
    """

    users: NDArray[np.int32]
    targets: NDArray[np.int32]
    ranks: NDArray[np.float64]
    tied: NDArray[np.bool_]
    target_in_input: NDArray[np.bool_]
    cold: NDArray[np.bool_]
    lists: NDArray[np.int32]
    protocol: dict[str, Any]
    counts: dict[str, int]

    @property
    def k(self) -> int:
        """The length of the list that the metrics look at."""
        return self.protocol["k"]

    def per_user(self) -> dict[str, NDArray[np.float64]]:
        """Each metric user by user: hit@k, ndcg@k, mrr@k and recall@k, float64 [M]."""
        return _by_name(_core.rank_metrics(self.ranks, self.k).T, self.k)

    def values(self) -> dict[str, float]:
        """The means alone, without intervals: what training watches."""
        means = {name: float(values.mean()) for name, values in self.per_user().items()}
        return {**means, **self._coverage()}

    def report(self, system: str = "model") -> Report:
        """The means with their 95 % intervals over users, counts and protocol."""
        if not len(self.users):
            raise DataError("0 users evaluated")
        warm = ~self.cold
        sliced = self.cold.any() and warm.any()
        coverage = {name: Estimate(value) for name, value in self._coverage().items()}
        counts = {
            "users": len(self.users),
            **self.counts,
            "tied_share": float(self.tied.mean()),
            "targets_in_input": int(self.target_in_input.sum()),
            "cold_targets": int(self.cold.sum()),
        }
        return Report(
            system=system,
            protocol=dict(self.protocol),
            metrics={**self._estimates(self.ranks), **coverage},
            counts=counts,
            slices={"warm targets": self._estimates(self.ranks[warm])} if sliced else {},
        )

    def table(self, user_ids: Vocabulary, item_ids: Vocabulary) -> pa.Table:
        """One row a user in raw ids: user_id, target, rank, flags and every metric."""
        columns = {
            "user_id": user_ids.arrow(self.users),
            "target": item_ids.arrow(self.targets - 1),
            "rank": self.ranks,
            "tied": self.tied,
            "target_in_input": self.target_in_input,
            "cold": self.cold,
        }
        return pa.table({**columns, **self.per_user()})

    def write(self, path: Path, user_ids: Vocabulary, item_ids: Vocabulary) -> None:
        """Writes `table` as Parquet or CSV, as the name says, whole or not at all."""
        write_table(path, self.table(user_ids, item_ids))

    def _coverage(self) -> dict[str, float]:
        """The share of the catalogue that is in some user's list, if there are lists."""
        if not self.lists.shape[1]:
            return {}
        recommended = np.count_nonzero(np.unique(self.lists))  # without PAD
        return {f"coverage@{self.k}": recommended / self.protocol["catalogue"]}

    def _estimates(self, ranks: NDArray[np.float64]) -> dict[str, Estimate]:
        values = _core.rank_metrics(ranks, self.k)
        return _by_name(mean_estimates(values, self.protocol["resamples"]), self.k)


def evaluate_next_item(
    scorer: NextItemScorer,
    split: Split,
    part: Part,
    config: EvalConfig | None = None,
    *,
    rank: int = 0,
    world_size: int = 1,
) -> NextItemResult:
    """The rank of every target of the part among the whole catalogue.

    Args:
        scorer: gives scores [B, n_items] for users [B] from their inputs.
        split: names the catalogue, the training events and the default of the seen filter.
        part: the inputs and targets: `split.valid` or `split.test`.
        config: how scores become ranks.
        rank: this process, of `world_size`; it evaluates its share of the users, and `merge` or
            `all_gather` puts the results together.
        world_size: number of processes.

    Raises:
        DataError: if the part has no user, a score is NaN or infinite (names the user), the scores
            have the wrong shape, or a target lies outside the catalogue.
        ConfigError: if k exceeds the catalogue.
    """
    config = config or EvalConfig()
    protocol = next_item_protocol(split, part, config)
    chunks = shard(len(part.users), config.batch_size, rank, world_size)
    mine = slice(chunks[0].start, chunks[-1].stop) if chunks else slice(0, 0)
    found: list[Counts] = []
    lists = np.empty((mine.stop - mine.start, config.k if config.lists else 0), dtype=np.int32)
    for chunk in chunks:
        users, targets = part.users[chunk], part.targets[chunk]
        scores = scorer(part.inputs, users)
        check_shape(scores, (len(users), split.dataset.n_items))
        seen = protocol["filter_seen"]
        found.append(_count(scores, targets, users, split, part, filter_seen=seen))
        if config.lists:
            here = slice(chunk.start - mine.start, chunk.stop - mine.start)
            lists[here] = first_items(scores, config.k, part.inputs, users, filter_seen=seen)
    counts = Counts.join(found)
    found_ranks, tied = ranks(counts, config.ties), counts.equal > 0
    return next_item_result(split, part, mine, found_ranks, tied, lists, protocol)


def next_item_result(
    split: Split,
    part: Part,
    mine: slice,
    ranks: NDArray[np.float64],
    tied: NDArray[np.bool_],
    lists: NDArray[np.int32],
    protocol: dict[str, Any],
) -> NextItemResult:
    """What was found for the users part.users[mine], with the flags that follow from the split."""
    return NextItemResult(
        users=part.users[mine],
        targets=part.targets[mine],
        ranks=ranks,
        tied=tied,
        target_in_input=~is_positive(part)[mine],
        cold=split.cold_targets(part)[mine],
        lists=lists,
        protocol=protocol,
        counts={"not_evaluated": split.not_evaluated},
    )


def next_item_protocol(split: Split, part: Part, config: EvalConfig) -> dict[str, Any]:
    """The rules of an evaluation as plain values, checked against the part."""
    n_items = split.dataset.n_items
    rule = f"at most the {n_items} items of the catalogue"
    check(config.k <= n_items, "evaluation.k", config.k, rule)
    seen = split.filter_seen if config.filter_seen is None else config.filter_seen
    rules = {"k": config.k, "filter_seen": bool(seen), "ties": config.ties}
    return evaluation_protocol(split, part, "next_item", rules, config.resamples)


def compare_next_item(first: NextItemResult, second: NextItemResult) -> dict[str, Difference]:
    """First minus second on the same users and targets, metric by metric, with paired intervals.

    Raises:
        DataError: if the two runs were not evaluated on the same users and targets by one protocol.
    """
    check_same_users(first, second)
    others, resamples = second.per_user(), first.protocol["resamples"]
    return {
        name: mean_difference(values, others[name], resamples=resamples)
        for name, values in first.per_user().items()
    }


def _count(
    scores: Scores,
    targets: NDArray[np.int32],
    users: NDArray[np.int32],
    split: Split,
    part: Part,
    *,
    filter_seen: bool,
) -> Counts:
    try:
        return count(scores, targets, part.inputs, users, filter_seen=filter_seen)
    except DataError:
        # the kernels know codes alone: a score that is not finite is reported by raw user id
        check_finite(host_scores(scores), users, split.dataset.user_ids)
        raise


def _by_name(columns: Any, k: int) -> dict[str, Any]:
    hit, ndcg, mrr = columns
    # one relevant item a user: recall is hit
    return dict(zip((f"{name}@{k}" for name in METRICS), (hit, ndcg, mrr, hit), strict=True))
