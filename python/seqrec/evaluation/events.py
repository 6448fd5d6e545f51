"""The histories of some users as one flat table of (row, item) events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from seqrec.data.sequences import Sequences

SparseMatrix = Any  # scipy.sparse.csr_array, whose stubs know neither products nor slices


def events_of(
    sequences: Sequences, users: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(rows, items): each event of users[rows[e]], user by user, oldest first."""
    rows, places = sequences.places(users)
    return rows, sequences.items[places]


def binary_matrix(sequences: Sequences, users: NDArray[np.int32], n_items: int) -> SparseMatrix:
    """Who has taken what: float32 CSR [len(users), n_items] of ones, column j being item j + 1."""
    rows, items = events_of(sequences, users)
    ones = np.ones(len(rows), dtype=np.float32)
    matrix = sparse.csr_array((ones, (rows, items - 1)), shape=(len(users), n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def all_users(sequences: Sequences) -> NDArray[np.int32]:
    """The codes of all users, in order."""
    return np.arange(sequences.n_users, dtype=np.int32)
