"""Ranks of the targets among the whole catalogue, where the scores lie: in memory or on a device.

The definition is the kernel's (`_core.rank_counts`): count the *other* items of the remaining
catalogue that score more than the target, and those that score the same. Scores on another device
are counted there, so that [B, N] never travels; the tests hold both to the same counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.evaluation.events import events_of
from seqrec.evaluation.scorers import Scores, host_scores

Ties = Literal["mean", "order", "worst"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many other items stand before or beside each target: int32 [B] each.

    Attributes:
        greater: items with a greater score; -1 where the target itself is filtered out, a miss.
        equal: other items with the same score.
        equal_before: those of them with a smaller internal id.
    """

    greater: NDArray[np.int32]
    equal: NDArray[np.int32]
    equal_before: NDArray[np.int32]

    @classmethod
    def join(cls, chunks: Iterable[Counts]) -> Counts:
        """The counts of one chunk of targets after another."""
        nothing = np.empty((3, 0), dtype=np.int32)
        columns = [np.stack([c.greater, c.equal, c.equal_before]) for c in chunks]
        return cls(*np.concatenate([nothing, *columns], axis=1))


def count(
    scores: Scores,
    targets: NDArray[np.int32],
    sequences: Sequences,
    users: NDArray[np.int32],
    *,
    filter_seen: bool,
) -> Counts:
    """The counts for scores [B, n_items] and targets [B].

    Raises:
        DataError: if a score is NaN or infinite, or a target lies outside the catalogue.
    """
    if isinstance(scores, torch.Tensor) and scores.device.type != "cpu":
        return count_on_device(scores, targets, sequences, users, filter_seen=filter_seen)
    return Counts(
        *_core.rank_counts(
            host_scores(scores),
            targets,
            sequences.items,
            sequences.starts,
            sequences.stops,
            users,
            filter_seen,
        )
    )


def count_on_device(
    scores: torch.Tensor,
    targets: NDArray[np.int32],
    sequences: Sequences,
    users: NDArray[np.int32],
    *,
    filter_seen: bool,
) -> Counts:
    """As `count`, by torch on the device of the scores."""
    scores = scores.detach().float()
    if not bool(torch.isfinite(scores).all()):
        raise DataError("scores must be finite")
    columns = torch.as_tensor(targets.astype(np.int64) - 1, device=scores.device)[:, None]
    target_scores = scores.gather(1, columns)
    greater, equal = scores > target_scores, scores == target_scores
    missed = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    if filter_seen:
        seen = _seen(scores, sequences, users)
        missed = seen.gather(1, columns)[:, 0]
        greater, equal = greater & ~seen, equal & ~seen
    equal.scatter_(1, columns, value=False)
    before = torch.arange(scores.shape[1], device=scores.device) < columns
    sums = torch.stack([greater.sum(1), equal.sum(1), (equal & before).sum(1)])
    sums[:, missed] = torch.tensor([[-1], [0], [0]], device=scores.device)
    return Counts(*sums.to("cpu", torch.int32).numpy())


def ranks(counts: Counts, ties: Ties) -> NDArray[np.float64]:
    """The rank of each target, 1 for the first; infinite for a miss.

    "mean": 1 + #greater + #equal / 2, the expected rank under a random order of the tied items;
    "order": 1 + #greater + #equal with a smaller id, the place in a top-k list;
    "worst": 1 + #greater + #equal.
    """
    if ties == "order":
        tied = counts.equal_before
    else:
        tied = counts.equal / 2 if ties == "mean" else counts.equal
    return np.where(counts.greater < 0, np.inf, 1.0 + counts.greater + tied)


def first_items(
    scores: Scores,
    k: int,
    sequences: Sequences,
    users: NDArray[np.int32],
    *,
    filter_seen: bool,
) -> NDArray[np.int32]:
    """The first k items of each row by score, ties by smaller id: int32 [B, k], PAD at the end.

    Scores on another device come to memory for this: a total order needs the compiled kernel.
    """
    nothing = np.empty(0, dtype=np.int32)
    bounds = (sequences.items, sequences.starts, sequences.stops)
    return _core.top_k(host_scores(scores), k, *bounds, users, filter_seen, nothing)[0]


def _seen(scores: torch.Tensor, sequences: Sequences, users: NDArray[np.int32]) -> torch.Tensor:
    rows, items = events_of(sequences, users)
    seen = torch.zeros(scores.shape, dtype=torch.bool, device=scores.device)
    places = torch.as_tensor(rows * scores.shape[1] + items - 1, device=scores.device)
    seen.view(-1)[places] = True
    return seen
