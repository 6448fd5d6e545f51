"""Training: losses, the loop, and the one safe artifact that it leaves behind."""

from seqrec.training.artifact import (
    Artifact,
    check_state,
    load_artifact,
    load_document,
    save_artifact,
)
from seqrec.training.config import TrainConfig
from seqrec.training.device import bf16_speed, choose_device, seeded
from seqrec.training.distributed import Ranks, launched_ranks
from seqrec.training.loop import train
from seqrec.training.objectives import ObjectiveConfig, make_objective
from seqrec.training.run import BEST, LAST, Validate
from seqrec.training.state import TrainResult, open_state

__all__ = [
    "BEST",
    "LAST",
    "Artifact",
    "ObjectiveConfig",
    "Ranks",
    "TrainConfig",
    "TrainResult",
    "Validate",
    "bf16_speed",
    "check_state",
    "choose_device",
    "launched_ranks",
    "load_artifact",
    "load_document",
    "make_objective",
    "open_state",
    "save_artifact",
    "seeded",
    "train",
]
