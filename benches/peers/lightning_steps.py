"""Models that Lightning trains: their steps are noted, or go on until a clock stops them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from contract import TRAIN_STEPS, Steps
from learning import Clock, in_eval
from numpy.typing import NDArray
from ranks import Scores


class Shared:
    """A callback that copies share: RecTools trains with a deep copy of the trainer it is given."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Shared:
        return self


def trainer(lightning: ModuleType, steps: Steps, targets: Callable[[Any], int]) -> Any:
    """A trainer that notes its steps and does nothing else beside training.

    Args:
        lightning: the package, under the name that the peer knows it by.
        steps: what is noted.
        targets: how many predictions a batch asks for.
    """

    class Watch(Shared, lightning.Callback):
        def on_train_batch_start(
            self, _trainer: Any, _module: Any, batch: Any, _index: int
        ) -> None:
            steps.arrive(targets(batch))

        def on_train_batch_end(
            self, _trainer: Any, _module: Any, outputs: Any, _batch: Any, _index: int
        ) -> None:
            steps.losses.append(float(outputs["loss"]))

    return _quiet(lightning, Watch(), max_steps=TRAIN_STEPS)


def against_clock(lightning: ModuleType, clock: Clock, scores_of: Callable[[Any], Scores]) -> Any:
    """A trainer that asks the clock before each step.

    Args:
        lightning: the package, under the name that the peer knows it by.
        clock: ends the training.
        scores_of: the module in training -> how it scores histories, in eval mode.
    """

    class Ask(Shared, lightning.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, _batch: Any, _index: int) -> None:
            def scores(histories: list[NDArray[np.int32]]) -> NDArray[np.float32]:
                with torch.no_grad(), in_eval(module):
                    return scores_of(module)(histories)

            clock.step(trainer.current_epoch, scores)

    return _quiet(lightning, Ask(), max_epochs=-1)


def _quiet(lightning: ModuleType, callback: Any, **ends: int) -> Any:
    """A trainer on the CPU with one callback, that writes and shows nothing."""
    return lightning.Trainer(
        accelerator="cpu", callbacks=[callback], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, **ends,
    )  # fmt: skip
