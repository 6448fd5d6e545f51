"""From sequences to the batches that a model trains on; `docs/loader.md` shows the whole of it."""

from seqrec.batches.batch import Batch
from seqrec.batches.buffers import Buffers
from seqrec.batches.cloze import ClozeBatch, ClozeConfig, ClozeRows
from seqrec.batches.histories import histories
from seqrec.batches.negatives import NegativeConfig, Negatives
from seqrec.batches.next_item import NextItemBatch, NextItemRows
from seqrec.batches.plan import Plan, Share
from seqrec.batches.relevance import (
    RelevancePairBatch,
    RelevancePairRows,
    RelevanceSequenceBatch,
    RelevanceSequenceRows,
)
from seqrec.batches.stream import BatchStream, Rows
from seqrec.batches.windows import WindowConfig

__all__ = [
    "Batch",
    "BatchStream",
    "Buffers",
    "ClozeBatch",
    "ClozeConfig",
    "ClozeRows",
    "NegativeConfig",
    "Negatives",
    "NextItemBatch",
    "NextItemRows",
    "Plan",
    "RelevancePairBatch",
    "RelevancePairRows",
    "RelevanceSequenceBatch",
    "RelevanceSequenceRows",
    "Rows",
    "Share",
    "WindowConfig",
    "histories",
]
