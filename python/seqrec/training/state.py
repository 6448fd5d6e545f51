"""Everything that a run needs to go on exactly where it stopped, as tensors and JSON.

A run that is resumed from it computes the same weights, bit for bit, as one that was never stopped:
on the same device, with the same number of threads and the same PyTorch.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqrec.errors import CheckpointError
from seqrec.training.artifact import Artifact, check_state
from seqrec.training.device import generator_states, set_generator_states
from seqrec.training.distributed import Ranks
from seqrec.training.early_stop import EarlyStop
from seqrec.training.ema import Ema
from seqrec.training.optimizer import load_optimizer, optimizer_tensors
from seqrec.training.progress import Interval

logger = logging.getLogger(__name__)


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


@dataclass(slots=True, kw_only=True)
class RunState:
    """Where a run stands, but for its tensors.

    Attributes:
        stop: the best value so far and the patience that is left.
        epoch: 0-based epoch under way.
        step_in_epoch: steps of it that are done.
        step: steps done in all.
        evaluated: the step that was validated last; -1 before.
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
    interval: Interval = field(default_factory=Interval)
    history: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    log_bytes: int = 0
    status: str = "running"

    def to_document(self) -> dict[str, Any]:
        """As plain JSON; a metric that is not finite becomes text."""
        document = dataclasses.asdict(self)
        for evaluation in document["history"]:
            evaluation["metrics"] = {k: _to_json(v) for k, v in evaluation["metrics"].items()}
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, patience: int | None) -> RunState:
        """The inverse of `to_document`."""
        history = [
            Evaluation(**entry | {"metrics": {k: float(v) for k, v in entry["metrics"].items()}})
            for entry in document["history"]
        ]
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
        "threads": torch.get_num_threads(),
        "world_size": ranks.world_size,
    }


def check_same_run(saved: Artifact, identity: Mapping[str, Any], source: Path) -> None:
    """Checks that the saved run has the options and data of this one.

    Raises:
        CheckpointError: naming every option that differs, with both values.
    """
    wrong = _differences(saved.documents["identity"], identity)
    if wrong:
        raise CheckpointError(
            f"{source} is the state of another run: {'; '.join(wrong)}. Resume with what it was "
            "begun with, or choose another folder"
        )


def warn_other_environment(saved: Artifact, now: Mapping[str, Any], source: Path) -> None:
    """Warns, naming it, about whatever makes a resumed run differ in its last bits."""
    for difference in _differences(saved.documents["environment"], now):
        logger.warning("%s: %s; the weights may differ in their last bits", source, difference)


def as_json(value: Any) -> Any:
    """The value as it will be read back: tuples become lists, keys become text."""
    return json.loads(json.dumps(value, default=str))


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    before, after = _flat(then), _flat(as_json(now))
    return [
        f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def open_state(saved: Artifact, source: Path, *, patience: int | None) -> RunState:
    """The host side of a saved state.

    Raises:
        CheckpointError: if the artifact is not the state of a run.
    """
    try:
        return RunState.from_document(saved.documents["state"], patience=patience)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{source} does not hold the state of a run: {error!r}") from None


def _to_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
