"""Everything that a run needs to go on exactly where it stopped, as tensors and JSON.

A run that is resumed from it computes the same weights, bit for bit, as one that was never stopped:
on the same device, with the same number of threads and the same PyTorch.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqrec.config import differences
from seqrec.errors import CheckpointError
from seqrec.processor import processor_name
from seqrec.training.artifact import Artifact, check_state
from seqrec.training.device import generator_states, set_generator_states
from seqrec.training.distributed import Ranks
from seqrec.training.early_stop import EarlyStop
from seqrec.training.ema import Ema
from seqrec.training.optimizer import load_optimizer, optimizer_tensors
from seqrec.training.progress import Interval

logger = logging.getLogger(__name__)

FINAL = ("completed", "early-stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One validation.

    Attributes:
        step: steps done.
        epoch: the 1-based epoch that the last of them belongs to.
        seconds: of the run so far.
        metrics: name -> value.
    """

    step: int
    epoch: int
    seconds: float
    metrics: dict[str, float]

    def to_document(self) -> dict[str, Any]:
        """As plain JSON; a metric that is not finite becomes text."""
        metrics = {k: v if math.isfinite(v) else str(v) for k, v in self.metrics.items()}
        return {**dataclasses.asdict(self), "metrics": metrics}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Evaluation:
        """The inverse of `to_document`."""
        plain = {
            "step": int(document["step"]), "epoch": int(document["epoch"]),
            "seconds": float(document["seconds"]),
            "metrics": {name: float(value) for name, value in document["metrics"].items()},
        }  # fmt: skip
        return cls(**{**document, **plain})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """How a run ended; the model has the best weights by then.

    Attributes:
        status: `completed`, `early-stopped`, or `time-limited` (never a number to publish).
        steps: steps done.
        best_step: the step whose weights are the best; the last one where nothing was validated.
        best_value: the monitored metric there; None where nothing was validated, or all was NaN.
        targets: predictions trained on, over all steps and ranks.
        seconds: time spent, validation included, over all resumptions.
        history: all validations.
    """

    status: str
    steps: int
    best_step: int
    best_value: float | None
    targets: int
    seconds: float
    history: tuple[Evaluation, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the run came to the end that its config asks for."""
        return self.status in FINAL


@dataclass(slots=True, kw_only=True)
class RunState:
    """Where a run stands, but for its tensors.

    Attributes:
        stop: the best value so far and the patience that is left.
        epoch: 0-based epoch under way.
        step_in_epoch: steps of it that are done.
        step: steps done in all.
        evaluated: the step that was validated last; -1 before.
        targets: predictions trained on before the interval.
        interval: sums since the last line of the log.
        history: all validations.
        seconds: spent so far.
        log_bytes: size of the log.
        status: `running`, `completed`, `early-stopped`, `time-limited` or `interrupted`.
    """

    stop: EarlyStop
    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    evaluated: int = -1
    targets: int = 0
    interval: Interval = field(default_factory=Interval)
    history: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    log_bytes: int = 0
    status: str = "running"

    def result(self) -> TrainResult:
        """What there is to say of the run."""
        stop = self.stop
        return TrainResult(
            status=self.status,
            steps=self.step,
            best_step=self.step if stop.best_step is None else stop.best_step,
            best_value=stop.best_value,
            targets=self.targets + self.interval.targets,
            seconds=self.seconds,
            history=tuple(self.history),
        )

    def to_document(self) -> dict[str, Any]:
        """As plain JSON."""
        history = [evaluation.to_document() for evaluation in self.history]
        return {**dataclasses.asdict(self), "history": history}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, patience: int | None) -> RunState:
        """The inverse of `to_document`."""
        history = [Evaluation.from_document(entry) for entry in document["history"]]
        stop = EarlyStop(**{**document["stop"], "patience": patience})
        parts = {"stop": stop, "interval": Interval(**document["interval"]), "history": history}
        return cls(**{**document, **parts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """The objects whose tensors make up the rest of the state.

    Attributes:
        model: its weights and buffers.
        optimizer: its moments and step counts.
        ema: the averaged weights, if there are any.
        ranks: whose generators are saved, each under its number.
        device: whose generator is saved beside the CPU's.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    ranks: Ranks
    device: torch.device

    def collect(self) -> dict[str, dict[str, Tensor]]:
        """File stem -> name -> tensor. All ranks must call it."""
        generators = {
            f"rank{rank}.{kind}": part
            for kind, state in generator_states(self.device).items()
            for rank, part in enumerate(self.ranks.gathered(state))
        }
        files = {
            "model": self.model.state_dict(),
            "optimizer": optimizer_tensors(self.model, self.optimizer),
            "generators": generators,
        }
        return files if self.ema is None else files | {"ema": self.ema.tensors()}

    def restore(self, saved: Artifact, source: Path) -> None:
        """Takes over what `collect` gave.

        Raises:
            CheckpointError: if the tensors are those of another model; lists the differences.
        """
        check_state(self.model, saved.tensors["model"], source=str(source))
        self.model.load_state_dict(saved.tensors["model"])
        load_optimizer(self.model, self.optimizer, saved.tensors["optimizer"])
        if self.ema is not None:
            self.ema.load(saved.tensors["ema"])
        own = f"rank{self.ranks.rank}."
        generators = saved.tensors["generators"].items()
        states = {k.removeprefix(own): v for k, v in generators if k.startswith(own)}
        set_generator_states(self.device, states)


def environment(device: torch.device, ranks: Ranks) -> dict[str, Any]:
    """What may move the last bits of the weights without being an option."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "torch": str(torch.__version__),
        "device": name,
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "world_size": ranks.world_size,
    }


def check_same_run(saved: Artifact, identity: Mapping[str, Any], source: Path) -> None:
    """Checks that the saved run has the options and data of this one.

    Raises:
        CheckpointError: naming every option that differs, with both values.
    """
    wrong = differences(*(_by_option(tables) for tables in (saved.documents["identity"], identity)))
    if wrong:
        raise CheckpointError(
            f"{source} is the state of another run: {'; '.join(wrong)}. Resume with what it was "
            "begun with, or choose another folder"
        )


def options_of(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of options in the identity of a run, by the names that one sets them by."""
    return {**identity.get("config", {}), "training": identity["train"]}


def _by_option(identity: Mapping[str, Any]) -> dict[str, Any]:
    others = {key: identity[key] for key in identity if key not in ("config", "train")}
    return others | options_of(identity)


def warn_other_environment(saved: Artifact, now: Mapping[str, Any], source: Path) -> None:
    """Warns, naming it, about whatever makes a resumed run differ in its last bits."""
    then = saved.documents["environment"]
    known = {name: value for name, value in now.items() if name in then}
    for difference in differences(then, known):
        logger.warning("%s: %s; the weights may differ in their last bits", source, difference)


def open_state(document: Any, source: Path, *, patience: int | None = None) -> RunState:
    """The host side of a saved state.

    Raises:
        CheckpointError: if the document is not the state of a run.
    """
    try:
        return RunState.from_document(document, patience=patience)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(f"{source} does not hold the state of a run: {error!r}") from None
