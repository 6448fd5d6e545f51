"""EASE (Steck, 2019): the linear item-item model without self-similarity, in closed form.

With the binary user-item matrix X, G = X^T X + lambda I and P = G^-1, the weights are
B_ij = -P_ij / P_jj off the diagonal and 0 on it; the scores of a history x are x B.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from seqrec.config import check
from seqrec.data.sequences import Sequences
from seqrec.errors import ResourceError
from seqrec.evaluation.events import SparseMatrix, all_users, binary_matrix

MAX_ITEMS = 20_000  # G and B are dense: 3.2 GB in float64 at this size
_ROWS = 512  # rows of the Gram matrix that are computed at once


@dataclass(frozen=True, slots=True, eq=False)
class EASE:
    """A next-item scorer: a linear map of what the user has taken, order ignored.

    Attributes:
        weights: float32 [N, N], B.
    """

    weights: NDArray[np.float32]

    @classmethod
    def fit(cls, train: Sequences, n_items: int, *, l2: float = 500.0) -> EASE:
        """Solves for the weights; O(N^3) time, one dense float64 matrix [N, N] of memory.

        Args:
            train: the training part.
            n_items: size of the catalogue.
            l2: lambda, the penalty on squared weights (the paper: 500 for MovieLens-20M).

        Raises:
            ResourceError: for a catalogue of more than 20,000 items.
        """
        check(l2 > 0, "l2", l2, "above 0")
        if n_items > MAX_ITEMS:
            raise ResourceError(
                f"EASE needs a dense {n_items:,} x {n_items:,} matrix and is built for at most "
                f"{MAX_ITEMS:,} items: use item-kNN for this catalogue, or raise `min_item`"
            )
        taken = binary_matrix(train, all_users(train), n_items).astype(np.float64)
        inverse = _inverse(_gram(taken, l2))
        diagonal = inverse.diagonal().copy()
        inverse /= -diagonal
        np.fill_diagonal(inverse, 0.0)
        return cls(inverse.astype(np.float32, order="C"))

    def __call__(self, sequences: Sequences, users: NDArray[np.int32], /) -> NDArray[np.float32]:
        """Scores [B, N]."""
        return binary_matrix(sequences, users, len(self.weights)) @ self.weights


def _gram(taken: SparseMatrix, l2: float) -> NDArray[np.float64]:
    """X^T X + lambda I, a block of rows at a time: float64 [N, N]."""
    n_items = taken.shape[1]
    columns = taken.tocsc()
    gram = np.empty((n_items, n_items), order="F")
    for start in range(0, n_items, _ROWS):
        rows = slice(start, start + _ROWS)
        gram[rows] = (columns[:, rows].T @ taken).toarray()
    gram[np.diag_indices(n_items)] += l2
    return gram


def _inverse(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a positive definite matrix in its own memory, by Cholesky."""
    factor, invert = linalg.get_lapack_funcs(("potrf", "potri"), (gram,))
    triangle, failed = factor(gram, lower=True, overwrite_a=True)
    inverse, failed = (
        (triangle, failed) if failed else invert(triangle, lower=True, overwrite_c=True)
    )
    if failed:
        raise ResourceError(f"EASE: the Gram matrix cannot be inverted (LAPACK {failed}): raise l2")
    for column in range(len(gram)):  # LAPACK fills the lower triangle alone
        inverse[column, column + 1 :] = inverse[column + 1 :, column]
    return inverse
