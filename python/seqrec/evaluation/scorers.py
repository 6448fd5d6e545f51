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

        A NumPy array, or a dense torch tensor on any device, of real numbers. Scores are compared
        in float32.
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
    """The scores as a C-contiguous float32 array; a float32 CPU tensor is not copied.

    Raises:
        DataError: for what is no array or tensor of real numbers; names its type.
    """
    _check_type(scores)
    if isinstance(scores, torch.Tensor):
        scores = scores.detach().to("cpu", torch.float32).numpy()
    return np.ascontiguousarray(scores, dtype=np.float32)


def check_shape(scores: Scores, shape: tuple[int, int]) -> None:
    """Raises DataError unless the scorer gave one real number for each user and column."""
    _check_type(scores)
    if tuple(scores.shape) != shape:
        raise DataError(
            f"the scorer gave scores of shape {tuple(scores.shape)}, but {shape} is needed: "
            "one row for each user and one column for each item"
        )


def _check_type(scores: object) -> None:
    """Raises DataError for scores that would be converted with a loss, or by a raw error."""
    found, fits = f"a {type(scores).__name__}", False
    if isinstance(scores, torch.Tensor):
        found += f" of {scores.dtype} ({scores.layout} on {scores.device})"
        fits = _is_dense(scores) and not (scores.is_complex() or scores.is_quantized)
    elif isinstance(scores, np.ndarray) and not np.ma.isMaskedArray(scores):
        found += f" of {scores.dtype}"
        fits = scores.dtype.kind in "biuf"
    if not fits:
        raise DataError(
            f"the scorer gave {found}: it must give a NumPy array or a dense tensor, "
            "of real numbers"
        )


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether a tensor has a number at each place, in memory that can be read."""
    strided = tensor.layout is torch.strided and not tensor.is_nested
    return strided and tensor.device.type != "meta"


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
