"""Item vectors from co-occurrence: a truncated SVD of positive pointwise mutual information.

c_ij = sum over pairs of items i, j at distance d <= window in a training sequence of 1 / d;
PMI_ij = log(c_ij * sum(c) / (c_i * c_j)); vectors = U sqrt(S) of max(PMI, 0)  (Levy and Goldberg,
Neural Word Embedding as Implicit Matrix Factorization, 2014; Levy et al., TACL 3, 2015).
"""

from __future__ import annotations

import logging
import threading

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import qr
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import compress
from seqrec.data.sequences import Sequences
from seqrec.threads import ProcessLock

logger = logging.getLogger(__name__)
_limiting = ProcessLock(threading.Lock)

WIDEST_WINDOW = 50
# Beyond so many items, or numbers in their vectors, exact decompositions take minutes, or hours.
MOST_EXACT, MOST_EXACT_NUMBERS = 50_000, 50_000 * 256
OVERSAMPLED, PRODUCTS = 32, 6  # columns beyond the rank, and products with the matrix, of the other
MOST_NEAR = 1 << 27  # pairs of places: of each that is a pair of items for itself, 48 bytes


def item_vectors(
    train: Sequences, n_items: int, width: int, *, window: int | None = None, std: float = 0.05
) -> NDArray[np.float32]:
    """Start vectors of the items 1..=N: float32 [n_items, width].

    Deterministic: pairs are counted in integers, the SVD starts from fixed numbers and takes one
    BLAS thread, and the largest entry of each component is positive. Exact for at most `MOST_EXACT`
    items and `MOST_EXACT_NUMBERS` entries; above it the last components are mixed, which no model
    was seen to mind. Items that never stand near another one in training have rows of zeros; where
    `width` exceeds the rank, the components left over are zero.

    Args:
        train: the training part only.
        n_items: size of the catalogue.
        width: length of a vector.
        window: largest distance at which two items co-occur; None: see `widest_window`.
        std: root mean square of the entries of the rows that are not zero.
    """
    check(width >= 1, "width", width, "at least 1")
    check(window is None or window >= 1, "window", window, "at least 1")
    check(std > 0, "std", std, "positive")
    if window is None:
        window = widest_window(train)
        logger.info("items co-occur within %d places of each other", window)
    matrix = positive_pmi(train, n_items, window=window)
    if matrix.nnz == 0:
        return np.zeros((n_items, width), dtype=np.float32)
    # The last bits of a product depend on the threads that share it. The limit is the process's:
    # who puts it back must be who found it.
    with _limiting(), threadpool_limits(1, user_api="blas"):
        left, values = _leading_components(matrix, min(width, n_items))
    vectors = np.zeros((n_items, width), dtype=left.dtype)
    vectors[:, : len(values)] = left * np.sqrt(values)
    seen = vectors[matrix.sum(axis=1) > 0]
    return (vectors * (std / np.sqrt(np.mean(seen**2)))).astype(np.float32)


def widest_window(train: Sequences) -> int:
    """The window that serves best, as far as memory allows.

    Co-occurrence over whole histories is the better start wherever it was measured
    (docs/experiments.md); but the pairs of places grow with the window, and the memory with them.

    Returns:
        `WIDEST_WINDOW`, or the widest that has `MOST_NEAR` pairs of places at most; at least 1.
    """
    lengths, near = train.stops - train.starts, 0
    for window in range(1, WIDEST_WINDOW + 1):
        near += int(np.maximum(lengths - window, 0).sum())
        if near > MOST_NEAR:
            return max(1, window - 1)
    return WIDEST_WINDOW


def positive_pmi(train: Sequences, n_items: int, *, window: int) -> sparse.csr_array:
    """max(PMI, 0) of items within `window` of each other: symmetric float64 [N, N], no diagonal.

    Item j is row and column j - 1. An item beside itself says nothing about others: left out.

    Memory: 24 bytes for each pair of distinct items whose PMI is positive, and on the way there up
    to 32 for each pair that occurs, or 48 for each of positive PMI, whichever is more.
    """
    triangle = _near_pairs(train, n_items, window)
    totals = triangle.sum(axis=0) + triangle.sum(axis=1)
    pmi = triangle.data  # in the place of the weights: there are many
    pmi *= totals.sum()
    pmi /= np.repeat(totals, np.diff(triangle.indptr))
    pmi /= totals[triangle.indices]
    np.log(pmi, out=pmi)
    np.maximum(pmi, 0.0, out=pmi)
    triangle.eliminate_zeros()
    return triangle + triangle.T


def _near_pairs(train: Sequences, n_items: int, window: int) -> sparse.csr_array:
    """c_ij of the items i < j alone: the upper triangle."""
    rows, columns, weights = _core.weigh_pairs(train.items, train.starts, train.stops, window)
    apart = rows != columns
    rows, columns, weights = (compress(array, apart) for array in (rows, columns, weights))
    rows -= 1
    columns -= 1
    return sparse.csr_array((weights, (rows, columns)), shape=(n_items, n_items))


def _leading_components(
    matrix: sparse.csr_array, rank: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(left vectors [N, rank], singular values [rank]), largest first, signs fixed."""
    n_items = len(matrix.indptr) - 1
    if rank >= n_items - 1:  # the truncated solver wants rank < N: such a catalogue is small
        left, values, _ = np.linalg.svd(np.asarray(matrix.toarray()))
    elif n_items <= MOST_EXACT and n_items * rank <= MOST_EXACT_NUMBERS:
        start = np.random.Generator(np.random.PCG64(0)).standard_normal(n_items)
        left, values = map(np.asarray, svds(matrix, k=rank, v0=start)[:2])
    else:
        left, values = _nearly_leading_components(matrix, rank)
    order = np.argsort(-values, kind="stable")[:rank]
    left, values = left[:, order], np.maximum(values[order], 0.0)
    largest = np.take_along_axis(left, np.abs(left).argmax(axis=0)[None, :], axis=0)
    # Rounding leaves tiny values where the rank is exceeded: they are zero.
    values[values < values.max() * n_items * np.finfo(values.dtype).eps] = 0.0
    return left * np.where(largest < 0, -1, 1).astype(left.dtype), values


def _nearly_leading_components(
    matrix: sparse.csr_array, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Left vectors and singular values by subspace iteration from a random block.

    Halko, Martinsson and Tropp, Finding Structure with Randomness, SIAM Review 53(2), 2011,
    algorithms 4.4 and 5.3; singular values of a symmetric matrix are its eigenvalues without sign.
    """
    matrix = sparse.csr_array(matrix, dtype=np.float32)
    n_items = len(matrix.indptr) - 1
    shape = (n_items, min(rank + OVERSAMPLED, n_items))
    block = np.random.Generator(np.random.PCG64(0)).standard_normal(shape, dtype=np.float32)
    basis = _orthonormal(block)
    for _ in range(PRODUCTS - 1):
        basis = _orthonormal(matrix @ basis)
    image = matrix @ basis
    values, rotation = np.linalg.eigh(basis.T @ image)
    # A v / lambda instead of v: another iteration, and zeros where the matrix has them.
    scale = np.divide(1.0, values, out=np.zeros_like(values), where=values != 0)
    return image @ (rotation * scale), np.abs(values)


def _orthonormal(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    in_place = np.asfortranarray(columns)  # the order of LAPACK: five times as fast as the other
    return np.asarray(qr(in_place, mode="economic", overwrite_a=True, check_finite=False)[0])
