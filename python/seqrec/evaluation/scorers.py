"""What the evaluation asks of a model: scores of the catalogue, or logits of given candidates.

A scorer is any callable of these shapes: a model, a baseline, a wrapper of another library. It
reads the history of user u as `sequences.user(u)`, sees a chunk of users at a time, and never
the targets.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec.data.sequences import Sequences
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError

Scores = NDArray[np.float32] | torch.Tensor


class NextItemScorer(Protocol):
    """Scores of the whole catalogue for a chunk of users."""

    def __call__(self, sequences: Sequences, users: NDArray[np.int32], /) -> Scores:
        """Scores [B, n_items] of users [B]; column j is item j + 1, larger is better.

        A NumPy array, or a torch tensor on any device. Scores are compared in float32.
        """
        ...


class PairScorer(Protocol):
    """Logits of given candidates for a chunk of users."""

    def __call__(
        self, sequences: Sequences, users: NDArray[np.int32], candidates: NDArray[np.int32], /
    ) -> Scores:
        """Logits [B, C] of candidates [B, C], item ids; above 0 means that the user takes it."""
        ...


def pairs_by_column(scorer: NextItemScorer) -> PairScorer:
    """The pair scores of a next-item scorer: it scores the catalogue, the candidates are picked."""

    def score_pairs(
        sequences: Sequences, users: NDArray[np.int32], candidates: NDArray[np.int32], /
    ) -> NDArray[np.float32]:
        scores = host_scores(scorer(sequences, users))
        return np.take_along_axis(scores, candidates.astype(np.int64) - 1, axis=1)

    return score_pairs


def host_scores(scores: Scores) -> NDArray[np.float32]:
    """The scores as a C-contiguous float32 array; a float32 CPU tensor is not copied."""
    if isinstance(scores, torch.Tensor):
        scores = scores.detach().to("cpu", torch.float32).numpy()
    return np.ascontiguousarray(scores, dtype=np.float32)


def check_shape(scores: Scores, shape: tuple[int, int]) -> None:
    """Raises DataError unless the scorer gave one score for each user and column."""
    if not isinstance(scores, np.ndarray | torch.Tensor) or np.ma.isMaskedArray(scores):
        raise DataError(
            f"the scorer gave a {type(scores).__name__}: it must give a NumPy array or a tensor"
        )
    if tuple(scores.shape) != shape:
        raise DataError(
            f"the scorer gave scores of shape {tuple(scores.shape)}, but {shape} is needed: "
            "one row for each user and one column for each item"
        )


def check_finite(
    scores: NDArray[np.float32], users: NDArray[np.int32], user_ids: Vocabulary
) -> None:
    """Raises DataError naming the first user with a NaN or infinite score."""
    wrong = ~np.isfinite(scores)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        column = int(wrong[row].argmax())
        raise DataError(
            f"the scorer gave {scores[row, column]} to user {user_ids.shown(users[row])} "
            f"(column {column}), one of {int(wrong.sum())} scores of this chunk that are not "
            "finite: nothing can be ranked by them"
        )
