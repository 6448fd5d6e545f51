"""Splits small enough to check by hand."""

from __future__ import annotations

import numpy as np

from seqrec.data.dataset import Dataset
from seqrec.data.sequences import Sequences
from seqrec.data.split import Split
from seqrec.data.vocabulary import Vocabulary


def toy_split(histories: list[list[int]], n_items: int) -> Split:
    """Leave-one-out; raw ids are 100, 101, ... for users and 10, 20, ... for items."""
    sequences = Sequences.from_lists(histories)
    offsets = np.append(sequences.starts, len(sequences.items)).astype(np.int64)
    dataset = Dataset(
        items=sequences.items,
        offsets=offsets,
        times=None,
        user_ids=Vocabulary.from_integers(np.arange(100, 100 + len(histories))),
        item_ids=Vocabulary.from_integers(np.arange(10, 10 * n_items + 1, 10)),
        audit={},
        fingerprint="toy",
    )
    return dataset.split("leave_one_out")


def random_split(n_users: int, n_items: int, seed: int = 0, longest: int = 12) -> Split:
    """Users with 3..=longest items, none twice."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, longest + 1, n_users)
    items = [(rng.permutation(n_items)[:length] + 1).tolist() for length in lengths]
    return toy_split(items, n_items)


class Table:
    """A next-item scorer that reads its scores from a matrix [n_users, n_items]."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = np.asarray(scores, dtype=np.float32)
        self.largest_chunk = 0

    def __call__(self, sequences: Sequences, users: np.ndarray, /) -> np.ndarray:  # noqa: ARG002
        self.largest_chunk = max(self.largest_chunk, len(users))
        return self.scores[users]
