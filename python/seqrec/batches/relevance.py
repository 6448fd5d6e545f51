"""Relevance rows: how likely does a user take this item? One negative for each positive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seqrec import _core
from seqrec.batches.batch import Batch
from seqrec.batches.buffers import Buffers
from seqrec.batches.negatives import Negatives
from seqrec.batches.plan import Plan, Share
from seqrec.batches.windows import WindowConfig, Windows
from seqrec.config import check
from seqrec.data.sequences import Sequences


@dataclass(slots=True, kw_only=True)
class RelevanceSequenceBatch(Batch):
    """A positive and a negative at every position; real items first, PAD behind them.

    Where rows have a prefix, at the positions from the last one of it on. `n_targets` counts both,
    so it is twice the number of positives.

    Attributes:
        inputs: int64 [B, W], item ids; 0 where there is none.
        positives: int64 [B, W], the item after each input; 0 where there is none, or where the
            user has taken it before.
        negatives: int64 [B, W], an item that the user has not taken; 0 where `positives` is.
        prefixes: int64 [B], how many of the first inputs see each other both ways; None where no
            input sees a later one.
    """

    inputs: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor
    prefixes: torch.Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the tensors."""
        return len(self.inputs)


@dataclass(slots=True, kw_only=True)
class RelevancePairBatch(Batch):
    """A history and one candidate a row: PAD, history, candidate in the last position.

    Row 2i holds the target of pair i, row 2i + 1 the same history with a negative.

    Attributes:
        tokens: int64 [2B, W].
        labels: float32 [2B], 1 for a target and 0 for a negative.
    """

    tokens: torch.Tensor
    labels: torch.Tensor

    @property
    def n_rows(self) -> int:
        """Rows of the tensors: two for each pair."""
        return len(self.tokens)


class RelevanceSequenceRows:
    """Windows whose every position has a positive and a negative, drawn anew in every epoch.

    Args:
        sequences: the training part.
        negatives: the sampler over the same part.
        windows: how long histories are cut.
        prefixes: draw how many of the n inputs of a row are its prefix, 1 + U^2 n ("prefix
            LM": Raffel et al., "T5", JMLR 2020, section 3.2.1).

    Raises:
        DataError: for an item that the sampler does not know as its user's.
    """

    def __init__(
        self,
        sequences: Sequences,
        negatives: Negatives,
        windows: WindowConfig | None = None,
        *,
        prefixes: bool = False,
    ) -> None:
        _check_sampler(sequences, negatives)
        self.windows = Windows(sequences, windows or WindowConfig(), next_item=True)
        self.negatives = negatives
        self.prefixes = prefixes
        self.first = _core.first_occurrences(sequences.items, sequences.starts, sequences.stops)

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """The rows of an epoch in the order of training."""
        return self.windows.plan(seed, epoch, batch_size)

    def fill(self, share: Share, buffers: Buffers) -> RelevanceSequenceBatch:
        """The share's rows, written into `buffers`."""
        shape, windows, sampler = (share.n_rows, share.width), self.windows, self.negatives
        inputs = buffers.take("inputs", shape, torch.int64)
        positives = buffers.take("positives", shape, torch.int64)
        negatives = buffers.take("negatives", shape, torch.int64)
        prefixes = buffers.take("prefixes", shape[:1], torch.int64) if self.prefixes else None
        n_pairs = _core.fill_relevance_sequences(
            windows.sequences.items, windows.sequences.starts, windows.sequences.stops, self.first,
            sampler.set_offsets, sampler.set_members, share.users, share.ks,
            windows.policy, windows.width, windows.stride, sampler.n_items, sampler.popularity,
            share.seed, share.epoch, inputs.array, positives.array, negatives.array,
            None if prefixes is None else prefixes.array,
        )  # fmt: skip
        return RelevanceSequenceBatch(
            inputs=inputs.tensor,
            positives=positives.tensor,
            negatives=negatives.tensor,
            prefixes=None if prefixes is None else prefixes.tensor,
            n_targets=2 * n_pairs,
        )


class RelevancePairRows:
    """Target positions of each user, drawn anew in every epoch, each with one negative.

    Args:
        sequences: the training part.
        negatives: the sampler over the same part.
        max_seq_len: tokens of a row, the candidate included.
        targets_per_user: targets of a user in an epoch; all where there are no more.

    Raises:
        DataError: for an item that the sampler does not know as its user's.
    """

    def __init__(
        self,
        sequences: Sequences,
        negatives: Negatives,
        *,
        max_seq_len: int = 100,
        targets_per_user: int = 16,
    ) -> None:
        _check_sampler(sequences, negatives)
        check(max_seq_len >= 2, "max_seq_len", max_seq_len, "at least 2")
        check(targets_per_user >= 1, "targets_per_user", targets_per_user, "at least 1")
        self.sequences = sequences
        self.negatives = negatives
        self.max_seq_len = max_seq_len
        self.targets_per_user = targets_per_user
        self.first = _core.first_occurrences(sequences.items, sequences.starts, sequences.stops)

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """The targets of an epoch in the order of training; `batch_size` counts pairs."""
        users, ks, positions = _core.plan_targets(
            self.first, self.sequences.starts, self.sequences.stops, self.targets_per_user,
            self.max_seq_len - 1, seed, epoch, batch_size,
        )  # fmt: skip
        return Plan(
            users=users,
            ks=ks,
            tokens=np.minimum(positions, self.max_seq_len - 1) + 1,
            positions=positions,
            batch_size=batch_size,
            max_width=self.max_seq_len,
            seed=seed,
            epoch=epoch,
        )

    def fill(self, share: Share, buffers: Buffers) -> RelevancePairBatch:
        """The share's pairs, written into `buffers`."""
        assert share.positions is not None  # our plan has them
        sampler = self.negatives
        tokens = buffers.take("tokens", (2 * share.n_rows, share.width), torch.int64)
        labels = buffers.take("labels", (2 * share.n_rows,), torch.float32)
        _core.fill_relevance_pairs(
            self.sequences.items, self.sequences.starts, self.sequences.stops,
            sampler.set_offsets, sampler.set_members, share.users, share.ks, share.positions,
            sampler.n_items, sampler.popularity, share.seed, share.epoch,
            tokens.array, labels.array,
        )  # fmt: skip
        return RelevancePairBatch(
            tokens=tokens.tensor, labels=labels.tensor, n_targets=2 * share.n_rows
        )


def _check_sampler(sequences: Sequences, negatives: Negatives) -> None:
    """Relevance draws one negative for each positive; another count would be read by nobody."""
    count = negatives.config.num_negatives
    rule = "0 for relevance: one for each positive is drawn"
    check(count == 0, "negatives.num_negatives", count, rule)
    negatives.check_positives(sequences)
