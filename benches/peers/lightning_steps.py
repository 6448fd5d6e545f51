"""Steps of a model that Lightning trains: when it has a batch, and what its loss was."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from contract import TRAIN_STEPS, Steps


def trainer(lightning: ModuleType, steps: Steps, targets: Callable[[Any], int]) -> Any:
    """A trainer that notes its steps and does nothing else beside training.

    Args:
        lightning: the package, under the name that the peer knows it by.
        steps: what is noted.
        targets: how many predictions a batch asks for.
    """

    class Watch(lightning.Callback):
        def __deepcopy__(self, _memo: dict[int, Any]) -> Watch:
            return self  # RecTools trains with a deep copy of the trainer that it is given

        def on_train_batch_start(
            self, _trainer: Any, _module: Any, batch: Any, _index: int
        ) -> None:
            steps.arrive(targets(batch))

        def on_train_batch_end(
            self, _trainer: Any, _module: Any, outputs: Any, _batch: Any, _index: int
        ) -> None:
            steps.losses.append(float(outputs["loss"]))

    return lightning.Trainer(
        max_steps=TRAIN_STEPS, accelerator="cpu", callbacks=[Watch()], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
