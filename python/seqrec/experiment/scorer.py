"""The one way from histories to scores: evaluation, validation and recommendation all use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec.batches import histories
from seqrec.data import Sequences
from seqrec.experiment.config import RunConfig
from seqrec.models import LSTM, BERT4Rec
from seqrec.training.held import held
from seqrec.training.precision import full_precision

PAIR_ROWS = 1024  # (history, candidate) rows that a model reads at once


@dataclass(frozen=True, slots=True)
class ModelScorer:
    """Scores by a model in eval mode, in float32, outside autocast.

    Attributes:
        model: where the weights are; read, never changed.
        max_history: how many of the last items of a history the model reads.
    """

    model: LSTM | BERT4Rec
    max_history: int

    def __call__(self, sequences: Sequences, users: NDArray[np.int32]) -> torch.Tensor:
        """float32 [B, n_items] on the model's device: scores of the whole catalogue."""
        with _inference(self.model):
            return self.model.score_next(self._tokens(sequences, users)).float()

    def _tokens(self, sequences: Sequences, users: NDArray[np.int32]) -> torch.Tensor:
        rows = histories(sequences, users, self.max_history, self.model.pad_side)
        return rows.to(next(self.model.parameters()).device)


@dataclass(frozen=True, slots=True)
class ModelPairScorer:
    """Judges given candidates by a model; as ModelScorer otherwise."""

    scorer: ModelScorer

    def __call__(
        self,
        sequences: Sequences,
        users: NDArray[np.int32],
        candidates: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """float32 [B, C]: logits of the candidates (internal ids), chunk by chunk of the users."""
        rows = max(1, PAIR_ROWS // max(1, candidates.shape[1]))
        logits = np.empty(candidates.shape, dtype=np.float32)
        with _inference(self.scorer.model):
            for at in range(0, len(users), rows):
                part = slice(at, at + rows)
                tokens = self.scorer._tokens(sequences, users[part])
                asked = torch.from_numpy(candidates[part].astype(np.int64)).to(tokens.device)
                logits[part] = self.scorer.model.score_pairs(tokens, asked).float().cpu().numpy()
        return logits


@contextmanager
def _inference(model: torch.nn.Module) -> Iterator[None]:
    """Eval mode in float32, without gradients; the model's mode is put back afterwards."""
    eval_mode = held(model, "training", False, assign=model.train)
    with eval_mode, torch.no_grad(), full_precision(next(model.parameters()).device):
        yield


def max_history(run_config: RunConfig) -> int:
    """How many items of a history a model reads: BERT4Rec keeps one place for MASK or candidate."""
    length = run_config.windows.max_seq_len
    return length - 1 if run_config.model == "bert4rec" else length
