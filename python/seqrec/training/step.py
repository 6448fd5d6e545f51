"""One step: rate, loss, gradient, clip, AdamW, average."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seqrec.training.config import TrainConfig
from seqrec.training.distributed import Ranks
from seqrec.training.ema import Ema
from seqrec.training.optimizer import adamw, set_rate
from seqrec.training.precision import autocast
from seqrec.training.schedule import Schedule


class Loss(Protocol):
    """What an objective returns: the mean loss, and over how many targets it is the mean."""

    @property
    def value(self) -> Tensor: ...  # noqa: D102

    @property
    def targets(self) -> int: ...  # noqa: D102


Objective = Callable[[nn.Module, Any], Loss]


class Stepper:
    """Moves the weights of a model, one batch at a time, without waiting for the device.

    Args:
        model: on its device, in training mode.
        objective: (model, batch) -> loss, run in the config's precision.
        config: gives rate, decay, clipping, average and precision.
        total_steps: of the schedule.
        no_decay: names of matrices without weight decay.
        ranks: which together take each step.

    Attributes:
        optimizer: AdamW.
        schedule: gives it its rate.
        ema: the averaged weights, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        config: TrainConfig,
        *,
        total_steps: int,
        no_decay: Collection[str],
        ranks: Ranks,
    ) -> None:
        self.optimizer = adamw(model, config, no_decay=no_decay)
        self.schedule = Schedule(
            lr=config.lr,
            warmup_steps=config.warmup_steps,
            total_steps=total_steps,
            kind=config.schedule,
        )
        self.ema = Ema(model, config.ema) if config.ema else None
        self._model, self._objective, self._config = model, objective, config
        self._ranks = ranks
        self._parameters = [p for p in model.parameters() if p.requires_grad]

    def take(self, batch: Any, step: int) -> tuple[Tensor, Tensor, int]:
        """Takes the 0-based `step`.

        Returns:
            This rank's mean loss and the norm of the whole gradient before clipping, both scalars
            still on the device, and this rank's targets.
        """
        set_rate(self.optimizer, self.schedule.rate(step))
        loss, targets = self._backward(batch)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._config.clip:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._config.clip, norm)
        self.optimizer.step()
        if self.ema is not None:
            self.ema.update(step + 1)
        return loss, norm, targets

    def _backward(self, batch: Any) -> tuple[Tensor, int]:
        """Leaves the gradient of the mean over the targets of all ranks."""
        # A rank may be left without a row at the end of an epoch.
        loss = self._loss(batch) if self._ranks.alone or batch.n_targets else None
        # Not before: what the loss holds would take the places of gradients as large as the
        # catalogue, and the next ones go to new memory (docs/experiments.md, sampled losses).
        self.optimizer.zero_grad(set_to_none=True)
        if loss is not None and self._ranks.alone:
            loss.value.backward()
            return loss.value, loss.targets
        value, targets = torch.zeros((), dtype=torch.float32, device=self._ranks.device), 0
        if loss is not None:
            value, targets = loss.value, loss.targets
            (value * targets).backward()
        total = self._ranks.sum_gradients(self._parameters, targets)
        if not targets and not total.item():
            # No rank has one: what is left of the loss, its L2 term, counts once all the same.
            value = self._loss(batch).value
            value.backward()
            self._ranks.sum_gradients(self._parameters, 1)
        return value, targets

    def _loss(self, batch: Any) -> Loss:
        with autocast(self._ranks.device, self._config.precision):
            return self._objective(self._model, batch)
