"""Exponential moving average of the weights: what validation, the artifact and inference use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """The average of a model's trained parameters over its steps.

    After step t = 1, 2, ... the average moves towards the weights:

        average <- d_t average + (1 - d_t) weights,    d_t = min(decay, (1 + t) / (10 + t))

    The second term of the minimum is a warm-up: without it the initial weights would outweigh the
    others for the first 1 / (1 - decay) steps. Buffers are not averaged.

    Args:
        model: whose parameters are averaged; the average starts at their present values.
        decay: in (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._decay = decay
        self._names = list(named)
        self._weights = [weight.detach() for weight in named.values()]
        self._average = [weight.clone() for weight in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after the 1-based `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        lerp = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage]
        lerp(self._average, self._weights, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the averaged weights; afterwards its own again, bit for bit."""
        own = [weight.clone() for weight in self._weights]
        # Values are copied, pointers are not swapped: cuDNN wants an LSTM's weights to stay in the
        # one block of memory where they are.
        _copy(self._weights, self._average)
        try:
            yield
        finally:
            _copy(self._weights, own)

    def tensors(self) -> dict[str, Tensor]:
        """The averages by parameter name, sharing memory with this object."""
        return dict(zip(self._names, self._average, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continues from saved averages, whose names and shapes were checked."""
        _copy(self._average, [tensors[name] for name in self._names])


@torch.no_grad()
def _copy(into: list[Tensor], source: list[Tensor]) -> None:
    for target, value in zip(into, source, strict=True):
        target.copy_(value)
