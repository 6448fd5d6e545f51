"""What every batch is: tensors of one step, and how many targets the loss averages over."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

import torch


@dataclass(slots=True, kw_only=True)
class Batch:
    """Tensors of one step; each kind of batch names its own.

    Not frozen, as little as a `Share` is: to set the fields of a frozen one takes longer than to
    fill the rows of a small batch.

    Attributes:
        n_targets: how many terms the loss of this batch averages over, counted before any copy to
            a device, so that reading it never waits for one. 0 where a rank has no row.
    """

    n_targets: int

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch with all its tensors on `device`."""
        moved = {
            field.name: value.to(device, non_blocking=non_blocking)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), torch.Tensor)
        }
        return dataclasses.replace(self, **moved)
