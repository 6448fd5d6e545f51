"""Popularity: everybody is shown what most training events are about.

The score is log p_j with p_j = (count_j + 1) / (total + N). The logarithm is what a logistic fit
against uniform negatives wants: log p_j - log(1 / N) is then the logit itself. It changes no rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqrec.data.sequences import Sequences
from seqrec.data.split import item_counts, item_shares


@dataclass(frozen=True, slots=True, eq=False)
class Popularity:
    """A next-item scorer that does not look at the user.

    Attributes:
        scores: float32 [N], log share of the training events, add-one smoothed.
    """

    scores: NDArray[np.float32]

    @classmethod
    def fit(cls, train: Sequences, n_items: int) -> Popularity:
        """Counts the training events of each item."""
        return cls(np.log(item_shares(item_counts(train, n_items))).astype(np.float32))

    def __call__(
        self,
        sequences: Sequences,  # noqa: ARG002 - the same for every history
        users: NDArray[np.int32],
        /,
    ) -> NDArray[np.float32]:
        """Scores [B, N], every row the same."""
        return np.tile(self.scores, (len(users), 1))
