"""Ranks, and what is measured of them: NumPy, and the same for everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from problem import K, Problem, seen_columns

SCORED_ROWS = 256  # users that are scored at once

# The last max_seq_len items of some users, oldest first -> float32 [B, n_items], column j is j + 1.
Scores = Callable[[list[NDArray[np.int32]]], NDArray[np.float32]]


def metrics_of(ranks: NDArray[np.float64]) -> dict[str, float]:
    """hit@10, ndcg@10 and mrr@10 of ranks that count from 1."""
    inside = ranks <= K
    return {
        "hit@10": float(inside.mean()),
        "ndcg@10": float(np.where(inside, 1 / np.log2(1 + ranks), 0).mean()),
        "mrr@10": float(np.where(inside, 1 / ranks, 0).mean()),
    }


def validation_ranks(problem: Problem, scores: Scores) -> Iterator[NDArray[np.float64]]:
    """Of each user's validation item among the unseen ones, ties by their mean."""
    targets = problem.array("valid_targets")
    for first in range(0, problem.n_users, SCORED_ROWS):
        users = range(first, min(first + SCORED_ROWS, problem.n_users))
        histories = [problem.history(user) for user in users]
        scored = np.array(scores([h[-problem.max_seq_len :] for h in histories]))
        assert scored.shape == (len(users), problem.n_items)
        of_target = scored[np.arange(len(users)), targets[users] - 1]
        scored[seen_columns(histories)] = -np.inf
        scored[np.arange(len(users)), targets[users] - 1] = of_target
        more = (scored > of_target[:, None]).sum(1)
        equal = (scored == of_target[:, None]).sum(1) - 1
        yield 1 + more + equal / 2
