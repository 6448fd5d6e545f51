"""Training: losses, the loop, and the one safe artifact that it leaves behind."""

from seqrec.training.artifact import (
    Artifact,
    check_state,
    load_artifact,
    load_document,
    save_artifact,
)
from seqrec.training.config import TrainConfig
from seqrec.training.device import choose_device, seeded, thread_limit
from seqrec.training.distributed import Ranks, launched_ranks
from seqrec.training.early_stop import larger_is_better
from seqrec.training.interrupts import interrupted
from seqrec.training.lock import locked
from seqrec.training.loop import check_place, state_to_resume, train
from seqrec.training.objectives import ObjectiveConfig, Sampling, make_objective
from seqrec.training.precision import bf16_speed, has_bf16, plain_tensors
from seqrec.training.progress import stage
from seqrec.training.run import BEST, LAST, Validate, Watch
from seqrec.training.state import FINAL, Evaluation, TrainResult, open_state, options_of

__all__ = [
    "BEST",
    "FINAL",
    "LAST",
    "Artifact",
    "Evaluation",
    "ObjectiveConfig",
    "Ranks",
    "Sampling",
    "TrainConfig",
    "TrainResult",
    "Validate",
    "Watch",
    "bf16_speed",
    "check_place",
    "check_state",
    "choose_device",
    "has_bf16",
    "interrupted",
    "larger_is_better",
    "launched_ranks",
    "load_artifact",
    "load_document",
    "locked",
    "make_objective",
    "open_state",
    "options_of",
    "plain_tensors",
    "save_artifact",
    "seeded",
    "stage",
    "state_to_resume",
    "thread_limit",
    "train",
]
