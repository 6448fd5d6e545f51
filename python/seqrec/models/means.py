"""Means of vectors: what both models know of a history without regard to its order."""

from __future__ import annotations

from torch import Tensor

from seqrec.tokens import PAD


def mean(vectors_BLD: Tensor, wanted_BL: Tensor) -> Tensor:
    """The mean over the places where the bool [B, L] is true: [B, D]; zero where there is none."""
    wanted = wanted_BL.to(vectors_BLD.dtype)
    share_BL = wanted / wanted.sum(dim=1, keepdim=True).clamp(min=1)
    return (share_BL.unsqueeze(1) @ vectors_BLD).squeeze(1)


def running_mean(vectors_BLD: Tensor, tokens_BL: Tensor) -> Tensor:
    """m_t [B, L, D]: the mean of the vectors up to and at t (PADs add zero and are not counted)."""
    counts_BL = (tokens_BL != PAD).cumsum(dim=1).clamp(min=1)
    return vectors_BLD.cumsum(dim=1) / counts_BL.unsqueeze(-1)
