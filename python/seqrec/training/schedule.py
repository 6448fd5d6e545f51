"""The learning rate as a function of the step alone: linear warm-up, then cosine or constant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The rate of each step.

    With `w` warm-up steps and `T` in total, step `t` (0-based) has the rate

        t < w:             lr (t + 1) / (w + 1)
        t >= w, cosine:    lr (1 + cos(pi (t - w) / (T - w))) / 2
        t >= w, constant:  lr

    so that the first step after the warm-up has the full rate, and the cosine would be 0 at step T.

    Attributes:
        lr: the peak rate.
        warmup_steps: w.
        total_steps: T, the sum of the steps of all epochs.
        kind: what follows the warm-up.
    """

    lr: float
    warmup_steps: int
    total_steps: int
    kind: Literal["cosine", "constant"]

    def rate(self, step: int) -> float:
        """The rate of the 0-based `step`; past the end it stays at its last value."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / (self.warmup_steps + 1)
        if self.kind == "constant":
            return self.lr
        length = max(self.total_steps - self.warmup_steps, 1)
        share = min((step - self.warmup_steps) / length, 1.0)
        return self.lr * 0.5 * (1 + math.cos(math.pi * share))
