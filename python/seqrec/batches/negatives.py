"""Negatives: items that their user has never taken, for sampled losses and for relevance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.batches.buffers import Buffers
from seqrec.batches.plan import Share
from seqrec.config import check
from seqrec.data.sequences import Sequences
from seqrec.data.split import item_counts
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError

Popularity = tuple[NDArray[np.float64], NDArray[np.uint64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeConfig:
    """How negatives are drawn.

    Attributes:
        num_negatives: negatives drawn for each row for a sampled next-item loss, 64 by default; 0
            for the full softmax. Relevance draws exactly one for each positive and leaves this at
            0.
        neg_sampling: "uniform" over the catalogue, or "popularity": in proportion to training
            counts to the power `pop_alpha`.
        pop_alpha: 1 draws as often as items were taken, 0 all taken items alike; relevance has 1.
    """

    num_negatives: int = 0
    neg_sampling: Literal["uniform", "popularity"] = "uniform"
    pop_alpha: float = 1.0

    def __post_init__(self) -> None:
        check(
            self.num_negatives >= 0,
            "negatives.num_negatives", self.num_negatives, "at least 0",
        )  # fmt: skip
        samplings = ("uniform", "popularity")
        check(
            self.neg_sampling in samplings,
            "negatives.neg_sampling", self.neg_sampling, f"one of {samplings}",
        )  # fmt: skip
        alpha = self.pop_alpha
        check(0 <= alpha <= 4, "negatives.pop_alpha", alpha, "from 0 to 4")
        check(
            self.neg_sampling == "popularity" or alpha == 1.0,
            "negatives.pop_alpha", alpha, "left out unless negatives.neg_sampling is 'popularity'",
        )  # fmt: skip

    def check_sampled(self) -> None:
        """Raises ConfigError unless rows of next item get a negative."""
        count = self.num_negatives
        check(count > 0, "negatives.num_negatives", count, "at least 1 where the loss is sampled")


class Negatives:
    """The sampler of one training part: what each user has taken, and how items are drawn.

    Args:
        train: the training part; its items are the known positives that no draw returns.
        n_items: size of the catalogue.
        config: the distribution, and how many for each row.
        user_ids: raw ids of the users, for the error; without them it names a place in `train`.

    Raises:
        DataError: if a user has taken every item that can be drawn, or for an item outside the
            catalogue.
    """

    def __init__(
        self,
        train: Sequences,
        n_items: int,
        config: NegativeConfig | None = None,
        *,
        user_ids: Vocabulary | None = None,
    ) -> None:
        train.check_items(n_items)
        self.train = train
        self.n_items = n_items
        self.config = config or NegativeConfig()
        self.set_offsets, self.set_members = _core.sorted_sets(
            train.items, train.starts, train.stops
        )
        weights = self._weights(train)
        self.popularity: Popularity | None = None
        if self.config.neg_sampling == "popularity":
            self.popularity = (weights, _core.alias_table(weights))
        self._refuse_full_users(int(np.count_nonzero(weights)), user_ids)
        self._log_q = torch.zeros(n_items + 2, dtype=torch.float32, device="cpu")
        with np.errstate(divide="ignore"):
            self._log_q[1:-1] = torch.from_numpy(np.log(weights / weights.sum()))

    def fill(self, share: Share, buffers: Buffers) -> torch.Tensor:
        """`num_negatives` independent draws for each row: int64 [B, n], never the user's own."""
        shape = (share.n_rows, self.config.num_negatives)
        negatives = buffers.take("sampled", shape, torch.int64)
        _core.fill_negatives(
            self.set_offsets, self.set_members, share.users, share.ks, self.n_items,
            self.popularity, share.seed, share.epoch, negatives.array,
        )  # fmt: skip
        return negatives.tensor

    def log_q(self, ids: torch.Tensor) -> torch.Tensor:
        """Log-probability of each id under one draw from the catalogue: float32, shaped as `ids`.

        Subtract it from the logits of a sampled softmax (the logQ correction). Each user's own
        items are left out of the user's draws; that this raises the others a little is neglected,
        as usual. 0 for PAD and MASK; -inf for an item that is never drawn.
        """
        if self._log_q.device != ids.device:
            self._log_q = self._log_q.to(ids.device)
        return self._log_q[ids]

    def _weights(self, train: Sequences) -> NDArray[np.float64]:
        if self.config.neg_sampling == "uniform":
            return np.ones(self.n_items, dtype=np.float64)
        counts = item_counts(train, self.n_items)
        return np.where(counts > 0, counts.astype(np.float64) ** self.config.pop_alpha, 0.0)

    def _refuse_full_users(self, n_drawable: int, user_ids: Vocabulary | None) -> None:
        taken = np.diff(self.set_offsets)
        if len(taken) and taken.max() >= n_drawable:
            code = int(taken.argmax())
            user = code if user_ids is None else user_ids.shown(code)
            raise DataError(
                f"user {user} has taken all {n_drawable} items that can be drawn, so no negative "
                f"exists: leave that user out, or train on next item with objective.loss = 'ce'"
            )

    def check_positives(self, sequences: Sequences) -> None:
        """Raises DataError if a user of `sequences` has an item that could be drawn for them."""
        if sequences is self.train:
            return
        sequences.check_items(self.n_items)
        n_users = len(self.set_offsets) - 1
        if sequences.n_users != n_users:
            raise DataError(
                f"sequences: they are of {sequences.n_users} users, and the sampler of negatives "
                f"was made from {n_users}"
            )
        users, places = sequences.places()
        pairs = users * (self.n_items + 1) + sequences.items[places]
        owners = np.repeat(np.arange(n_users), np.diff(self.set_offsets))
        known = owners * (self.n_items + 1) + self.set_members
        unknown = ~np.isin(pairs, known)
        if unknown.any():
            user, item = divmod(int(pairs[unknown.argmax()]), self.n_items + 1)
            raise DataError(
                f"sequences: the sampler of negatives does not know that user {user} has taken "
                f"item {item}, and might draw it: make it from the same sequences"
            )


def check_sampler(sequences: Sequences, negatives: Negatives | None) -> None:
    """Next-item rows need a sampler that draws something, or none at all."""
    if negatives is not None:
        negatives.config.check_sampled()
        negatives.check_positives(sequences)
