"""What a training run can be told. Everything that moves the weights counts steps, not seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from seqrec.config import check, to_dict
from seqrec.training.early_stop import larger_is_better

# Options that leave the weights as they are, so that a resumed run may change them. `threads` and
# `device` may move the last bit: they are compared apart, and only warned about.
FREE_ON_RESUME = frozenset(
    {"max_minutes", "save_every_steps", "log_every", "device", "threads", "progress", "tensorboard"}
)

MOST_EPOCHS = 1_000_000  # their steps are counted one by one
MOST_THREADS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Options of one training run.

    Attributes:
        epochs: passes over the training rows; 0 saves the initial model; 8 with `windows.windows`
            "prefixes", and where the LSTM's vectors are 512 wide by default; 12 with
            `bert4rec.relevance_head` "last".
        batch_size: rows of one step, over all ranks; 256 with `windows.windows` "prefixes", and
            128 where the LSTM's vectors are 512 wide by default; 64 with the head "last".
        lr: AdamW's peak learning rate; 2e-3 with the head "last".
        betas: AdamW's two decay rates of the moments.
        weight_decay: AdamW's decoupled decay; matrices alone, BERT4Rec's biases of
            distance among them; biases and norms, which are vectors, have none.
        warmup_steps: steps over which the rate rises linearly.
        schedule: what follows the warm-up: `cosine` falls to 0 at the last step, or `constant`.
        clip: largest norm of the whole gradient; 0 turns clipping off.
        ema: decay of the average of the weights that validation and the artifact use; 0: none.
        precision: `fp32`, or `bf16` for the training pass only (scores stay in fp32); `bf16` where
            the device has instructions for it, as `seqrec doctor` tells.
        eval_every: epochs between validations; the last epoch is always validated.
        monitor: the validation metric that chooses the best weights.
        patience: validations in a row without a better value after which to stop; never if None.
        max_steps: stop after so many steps; the schedule keeps its full length.
        max_minutes: stop after so much time, over all resumptions, and mark it `time-limited`.
        save_every_steps: save the state so often within an epoch, beside once after each.
        log_every: steps between two lines of the log.
        seed: of the weights, dropout, batches and negatives.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        threads: of PyTorch on the CPU; its own choice if None.
        progress: show a bar on standard error; if None, only where that is a terminal.
        tensorboard: also write events for TensorBoard.
    """

    epochs: int = 20
    batch_size: int = 64
    lr: float = 1e-3
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.01
    warmup_steps: int = 0
    schedule: Literal["cosine", "constant"] = "cosine"
    clip: float = 5.0
    ema: float = 0.999
    precision: Literal["fp32", "bf16"] = "fp32"
    eval_every: int = 1
    monitor: str = "ndcg@10"
    patience: int | None = None
    max_steps: int | None = None
    max_minutes: float | None = None
    save_every_steps: int | None = None
    log_every: int = 50
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    progress: bool | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "warmup_steps", "max_steps"):
            self._at_least(name, 0)
        self._check(self.epochs <= MOST_EPOCHS, "epochs", f"at most {MOST_EPOCHS:,}")
        for name in ("batch_size", "eval_every", "log_every", "patience", "save_every_steps"):
            self._at_least(name, 1)
        few = self.threads is None or 1 <= self.threads <= MOST_THREADS
        self._check(few, "threads", f"from 1 to {MOST_THREADS}")
        for name in ("lr", "weight_decay", "clip"):
            finite = 0 <= getattr(self, name) < float("inf")
            self._check(finite, name, "a finite number, at least 0")
        betas_fit = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        self._check(betas_fit, "betas", "two numbers, at least 0 and below 1")
        self._check(0 <= self.ema < 1, "ema", "at least 0 and below 1")
        for name, allowed in (
            ("schedule", ("cosine", "constant")),
            ("precision", ("fp32", "bf16")),
        ):
            self._check(getattr(self, name) in allowed, name, f"one of {allowed}")
        minutes = self.max_minutes
        limited = minutes is None or 0 < minutes < float("inf")
        self._check(limited, "max_minutes", "a finite number above 0")
        self._check(0 <= self.seed < 2**63, "seed", "at least 0 and below 2**63")
        larger_is_better(self.monitor)  # refuses a metric without a direction

    def identity(self) -> dict[str, Any]:
        """The options that a resumed run must have in common with the run that it continues."""
        return {key: value for key, value in to_dict(self).items() if key not in FREE_ON_RESUME}

    def _at_least(self, name: str, bound: int) -> None:
        value = getattr(self, name)
        self._check(value is None or value >= bound, name, f"at least {bound}")

    def _check(self, allowed: bool, name: str, rule: str) -> None:
        check(allowed, f"training.{name}", getattr(self, name), rule)
