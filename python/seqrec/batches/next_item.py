"""Next-item rows: every position predicts the item after it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from seqrec import _core
from seqrec.batches.batch import Batch
from seqrec.batches.buffers import Buffers
from seqrec.batches.negatives import Negatives, check_sampler
from seqrec.batches.plan import Plan, Share
from seqrec.batches.windows import WindowConfig, Windows
from seqrec.data.sequences import Sequences


@dataclass(slots=True, kw_only=True)
class NextItemBatch(Batch):
    """Real items first, PAD behind them.

    Attributes:
        inputs: int64 [B, W], item ids; 0 where there is none.
        targets: int64 [B, W], the item after each input; -100 where there is none.
        negatives: int64 [B, n] items that the row's user has not taken; None for the full softmax.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    negatives: torch.Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the tensors."""
        return len(self.inputs)


class NextItemRows:
    """Windows of `max_seq_len` inputs, each with the item that follows it.

    Users with one item or none have no row.

    Args:
        sequences: the training part.
        windows: how long histories are cut.
        negatives: a sampler over the same part, for a sampled loss.

    Raises:
        DataError: for an item below 1: 0 would be read as PAD.
    """

    def __init__(
        self,
        sequences: Sequences,
        windows: WindowConfig | None = None,
        *,
        negatives: Negatives | None = None,
    ) -> None:
        sequences.check_items()
        check_sampler(sequences, negatives)
        self.windows = Windows(sequences, windows or WindowConfig(), next_item=True)
        self.negatives = negatives

    def plan(self, seed: int, epoch: int, batch_size: int) -> Plan:
        """The rows of an epoch in the order of training."""
        return self.windows.plan(seed, epoch, batch_size)

    def fill(self, share: Share, buffers: Buffers) -> NextItemBatch:
        """The share's rows, written into `buffers`."""
        shape, windows = (share.n_rows, share.width), self.windows
        inputs = buffers.take("inputs", shape, torch.int64)
        targets = buffers.take("targets", shape, torch.int64)
        n_targets = _core.fill_next_item(
            windows.sequences.items, windows.sequences.starts, windows.sequences.stops,
            share.users, share.ks, windows.policy, windows.width, windows.stride,
            share.seed, share.epoch, inputs.array, targets.array,
        )  # fmt: skip
        return NextItemBatch(
            inputs=inputs.tensor,
            targets=targets.tensor,
            negatives=self.negatives.fill(share, buffers) if self.negatives else None,
            n_targets=n_targets,
        )
