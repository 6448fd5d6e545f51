"""Which weights are the best so far, and when to give up: judged on one monitored metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seqrec.errors import ConfigError

LARGER = ("ndcg", "hit", "recall", "precision", "mrr", "map", "accuracy", "auc", "coverage")
SMALLER = ("logloss", "loss", "ece")


def larger_is_better(metric: str) -> bool:
    """Whether `metric` (its name with or without a cut, as `ndcg@10`) is to be made large.

    Raises:
        ConfigError: for a metric whose direction is not known.
    """
    name = metric.partition("@")[0]
    if name in LARGER:
        return True
    if name in SMALLER:
        return False
    known = ", ".join((*LARGER, *SMALLER))
    raise ConfigError(
        f"option `training.monitor` is {metric!r}: it must be one of {known} (@k where cut)"
    )


@dataclass(slots=True, kw_only=True)
class EarlyStop:
    """The best value of the monitored metric so far, and how many validations fell short of it.

    A NaN never becomes the best; it counts as a validation without a better value.

    Attributes:
        monitor: name of the metric.
        patience: validations in a row without a better value after which `exhausted` is true; None
            never stops.
        best_value: None until there is one.
        best_step: the step after which `best_value` was measured.
        misses: validations since then.
    """

    monitor: str
    patience: int | None
    best_value: float | None = None
    best_step: int | None = None
    misses: int = 0

    def update(self, value: float, step: int) -> bool:
        """Takes the value after `step`; true if it is better than all before (ties are not)."""
        if self._better(value):
            self.best_value, self.best_step, self.misses = value, step, 0
            return True
        self.misses += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether it is time to stop."""
        return self.patience is not None and self.misses >= self.patience

    def _better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best_value is None:
            return True
        if larger_is_better(self.monitor):
            return value > self.best_value
        return value < self.best_value
