"""Item k-nearest neighbours (Deshpande & Karypis, 2004): items like those that the user took.

Similarity is the cosine of two columns of the binary user-item matrix. Each item keeps its k most
similar others (ties by smaller id), and a candidate's score is the sum of its similarities to the
distinct items of the history that count it among their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from seqrec import _core
from seqrec.config import check
from seqrec.data.sequences import Sequences
from seqrec.evaluation.events import SparseMatrix, all_users, binary_matrix

_ROWS = 512  # items whose similarities are dense at once


@dataclass(frozen=True, slots=True, eq=False)
class ItemKNN:
    """A next-item scorer that sums similarities over the history.

    Attributes:
        similarities: float32 CSR [N, N], row i holding the k neighbours of item i + 1.
    """

    similarities: SparseMatrix

    @classmethod
    def fit(cls, train: Sequences, n_items: int, *, neighbours: int = 100) -> ItemKNN:
        """Finds the `neighbours` most similar items of each item; O(N) memory for each of them."""
        check(neighbours >= 1, "neighbours", neighbours, "at least 1")
        taken = binary_matrix(train, all_users(train), n_items).astype(np.float64)
        norms = np.sqrt(np.asarray(taken.sum(axis=0)).ravel())
        unit = (taken @ sparse.diags_array(1.0 / np.maximum(norms, 1.0))).tocsc()
        k = min(neighbours, n_items)
        blocks = [
            _nearest(unit, np.arange(start, min(start + _ROWS, n_items)), k)
            for start in range(0, n_items, _ROWS)
        ]
        return cls(sparse.vstack(blocks, format="csr"))

    def __call__(self, sequences: Sequences, users: NDArray[np.int32], /) -> NDArray[np.float32]:
        """Scores [B, N], 0 for items that are nobody's neighbour in the history."""
        history = binary_matrix(sequences, users, self.similarities.shape[0])
        return (history @ self.similarities).toarray()


def _nearest(unit: SparseMatrix, block: NDArray[np.int64], k: int) -> SparseMatrix:
    """The k nearest others of the items in `block`: float32 CSR [len(block), N]."""
    n_items = unit.shape[1]
    dense = (unit[:, block].T @ unit).toarray().astype(np.float32)
    # each item is its own history here, so that the kernel leaves it out of its neighbours
    own = (block + 1).astype(np.int32)
    places = np.arange(len(block), dtype=np.int64)
    rows, nobody = places.astype(np.int32), np.empty(0, dtype=np.int32)
    near, values = _core.top_k(dense, k, own, places, places + 1, rows, True, nobody)
    similar = np.isfinite(values) & (values > 0)
    indices, rows = near[similar] - 1, np.repeat(rows, k).reshape(near.shape)[similar]
    return sparse.csr_array((values[similar], (rows, indices)), shape=(len(block), n_items))
