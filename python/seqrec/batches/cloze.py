"""Cloze rows: some items of a window are hidden, and the model names them (BERT4Rec, section 3.6).

Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
Transformer", CIKM 2019. Hiding comes after cutting, so that every row has at least one target.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from seqrec import _core
from seqrec.batches.batch import Batch
from seqrec.batches.buffers import Buffers
from seqrec.batches.negatives import Negatives, check_sampler
from seqrec.batches.plan import Plan, Share
from seqrec.batches.windows import WindowConfig, Windows
from seqrec.config import check
from seqrec.data.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class ClozeConfig:
    """What is hidden from the model.

    Attributes:
        mask_prob: probability that an item is hidden; at least one of a row is. Of no use where
            last_only_prob is 1.
        last_only_prob: share of the rows that hide their last item alone, as at inference; 1 with
            `windows.windows` "prefixes".
        keep_prob: probability that a hidden item stays itself (it is a target all the same).
        random_prob: probability that a hidden item becomes a uniform item.
    """

    mask_prob: float = 0.25
    last_only_prob: float = 0.15
    keep_prob: float = 0.0
    random_prob: float = 0.0

    def __post_init__(self) -> None:
        check(0 < self.mask_prob <= 1, "cloze.mask_prob", self.mask_prob, "above 0, at most 1")
        for name in ("last_only_prob", "keep_prob", "random_prob"):
            value = getattr(self, name)
            check(0 <= value <= 1, f"cloze.{name}", value, "from 0 to 1")
        unmasked = self.keep_prob + self.random_prob
        check(unmasked <= 1, "cloze.keep_prob + cloze.random_prob", unmasked, "at most 1")


@dataclass(slots=True, kw_only=True)
class ClozeBatch(Batch):
    """PAD first, real items last.

    Attributes:
        tokens: int64 [B, W], item ids, 0 for PAD, n_items + 1 for MASK.
        labels: int64 [B, W], the item that is hidden; -100 where none is.
        negatives: int64 [B, n] items that the row's user has not taken; None for the full softmax.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    negatives: torch.Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the tensors."""
        return len(self.tokens)


class ClozeRows:
    """Windows of at most `max_seq_len` items, some of them hidden, anew in every epoch.

    Args:
        sequences: the training part.
        n_items: size of the catalogue; MASK is n_items + 1.
        windows: how long histories are cut.
        cloze: what is hidden.
        negatives: a sampler over the same part, for a sampled loss.

    Raises:
        DataError: for an item outside the catalogue; n_items + 1 would be read as MASK.
    """

    def __init__(
        self,
        sequences: Sequences,
        n_items: int,
        windows: WindowConfig | None = None,
        cloze: ClozeConfig | None = None,
        *,
        negatives: Negatives | None = None,
    ) -> None:
        check_sampler(sequences, negatives)
        sequences.check_items(n_items)
        self.n_items = n_items
        self.windows = Windows(sequences, windows or WindowConfig(), next_item=False)
        self.cloze = cloze or ClozeConfig()
        self.negatives = negatives

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """The rows of an epoch in the order of training."""
        return self.windows.plan(seed, epoch, batch_size)

    def fill(self, share: Share, buffers: Buffers) -> ClozeBatch:
        """The share's rows, written into `buffers`."""
        shape, windows, cloze = (share.n_rows, share.width), self.windows, self.cloze
        tokens = buffers.take("tokens", shape, torch.int64)
        labels = buffers.take("labels", shape, torch.int64)
        n_hidden = _core.fill_cloze(
            windows.sequences.items, windows.sequences.starts, windows.sequences.stops,
            share.users, share.ks, windows.policy, windows.width, windows.stride, self.n_items,
            cloze.mask_prob, cloze.last_only_prob, cloze.keep_prob, cloze.random_prob,
            share.seed, share.epoch, tokens.array, labels.array,
        )  # fmt: skip
        return ClozeBatch(
            tokens=tokens.tensor,
            labels=labels.tensor,
            negatives=self.negatives.fill(share, buffers) if self.negatives else None,
            n_targets=n_hidden,
        )
