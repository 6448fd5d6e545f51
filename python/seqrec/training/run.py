"""One training run: its epochs, validations and saves, and why it stops.

The host does not wait for the device within an interval of `log_every` steps; at its end the losses
are read, checked and logged. Whatever moves the weights depends on the step, never on the time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seqrec.errors import CheckpointError, ConfigError, InterruptedRunError
from seqrec.training.artifact import Artifact, check_state, load_artifact, save_artifact
from seqrec.training.config import TrainConfig
from seqrec.training.device import preserved
from seqrec.training.distributed import Ranks
from seqrec.training.early_stop import EarlyStop
from seqrec.training.interrupts import Interrupts, interrupted
from seqrec.training.journal import Journal
from seqrec.training.progress import Bar, Clock, Meter
from seqrec.training.state import (
    FINAL,
    Evaluation,
    RunState,
    Tensors,
    TrainResult,
    check_same_run,
    environment,
    open_state,
    warn_other_environment,
)
from seqrec.training.step import Objective, Stepper

logger = logging.getLogger(__name__)

BEST, LAST = "best", "last"
TIME_LIMITED = "time-limited"
TIME_IS_UP = 1  # stands beside the exit codes of signals, which are larger and win over it

Validate = Callable[[nn.Module], Mapping[str, float]]
Watch = Callable[[Evaluation], None]


class Stream(Protocol):
    """Where batches come from; `seqrec.batches.stream.BatchStream` is one."""

    wait_seconds: float

    def steps_per_epoch(self, epoch: int) -> int:
        """Steps of the 0-based epoch, the same on every rank."""
        ...

    def epoch(self, epoch: int, first_step: int = 0) -> Generator[Any, None, None]:
        """Batches of the epoch from `first_step` on, on the device; each has `n_targets`."""
        ...


class Run:
    """A run under way; `seqrec.training.loop.train` describes the arguments.

    Args:
        model: on `device`, the same on all ranks.
        stream: its batches.
        objective: (model, batch) -> loss.
        config: its options.
        validate: model -> metrics.
        watch: told about each validation.
        folder: where to write, held by this run; or None.
        total_steps: T of the schedule; None: the steps of all epochs.
        identity: what makes it this run and no other.
        keep: what the best artifact holds beside the weights.
        no_decay: names of matrices without weight decay.
        device: where the model is.
        ranks: who trains together.
        interrupts: what asks it to stop.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        stream: Stream,
        objective: Objective,
        config: TrainConfig,
        validate: Validate | None,
        watch: Watch | None,
        folder: Path | None,
        total_steps: int | None,
        identity: Mapping[str, Any],
        keep: Artifact,
        no_decay: Collection[str],
        device: torch.device,
        ranks: Ranks,
        interrupts: Interrupts,
    ) -> None:
        self.model, self.stream = model, stream
        self.config, self.validate, self.watch = config, validate, watch
        self.folder, self.identity, self.keep = folder, identity, keep
        self.device, self.ranks, self.interrupts = device, ranks, interrupts
        steps = sum(stream.steps_per_epoch(epoch) for epoch in range(config.epochs))
        self.last_step = steps if config.max_steps is None else min(steps, config.max_steps)
        self.stepper = Stepper(
            model, objective, config,
            total_steps=steps if total_steps is None else total_steps,
            no_decay=no_decay, ranks=ranks,
        )  # fmt: skip
        self.ema = self.stepper.ema
        self.tensors = Tensors(
            model=model, optimizer=self.stepper.optimizer, ema=self.ema, ranks=ranks, device=device
        )
        stop = EarlyStop(monitor=config.monitor, patience=config.patience)
        self.state = RunState(stop=stop)
        self.best: dict[str, Tensor] | None = None  # where there is no folder to hold it

    def restore(self, source: Path) -> None:
        """Goes on from a saved state, which must be this run's."""
        saved = load_artifact(source)
        document = saved.documents.get("state")
        state = open_state(document, source, patience=self.config.patience)
        check_same_run(saved, self.identity, source)
        warn_other_environment(saved, environment(self.device, self.ranks), source)
        self.tensors.restore(saved, source)
        self.state = state

    def run(self) -> TrainResult:
        """Trains to the end, or until something stops it."""
        state, writes = self.state, self.ranks.writes
        self.meter = Meter(self.ranks, state.interval)
        self.clock = Clock(state.seconds, self.stream.wait_seconds)
        with ExitStack() as stack:
            self.journal = Journal(
                self.folder if writes else None, size=state.log_bytes, step=state.step,
                tensorboard=self.config.tensorboard,
            )  # fmt: skip
            stack.callback(self.journal.close)
            wanted = self.ranks.shows(self.config.progress)
            self.bar = Bar(self.last_step, state.step, wanted=wanted)
            stack.callback(self.bar.close)
            if state.status not in FINAL:
                self._train_and_finish()
        self._load_best()
        self.model.zero_grad(set_to_none=True)  # as large as the weights, and of no more use
        return state.result()

    def _train_and_finish(self) -> None:
        try:
            self._finish(self._train())
        except InterruptedRunError:
            self._save("interrupted")
            raise

    def _train(self) -> str:
        """Runs epochs; the status to end with."""
        state = self.state
        while state.step < self.last_step:
            if state.stop.exhausted:
                return "early-stopped"
            # A resumed run may have no time left: it takes no further step.
            reason = (state.step and self._reason_to_stop()) or self._epoch()
            if reason > TIME_IS_UP:
                raise interrupted(reason)
            if state.step_in_epoch < self.stream.steps_per_epoch(state.epoch):
                if state.step < self.last_step:
                    return TIME_LIMITED
                break  # by `max_steps`
            if self._validation_is_due():
                self._validate()
            state.epoch, state.step_in_epoch = state.epoch + 1, 0
            self._save("running")
        return "completed"

    def _epoch(self) -> int:
        """Runs the rest of an epoch; why it stopped before the end, else 0."""
        state = self.state
        steps = self.stream.steps_per_epoch(state.epoch)
        if state.step_in_epoch == steps:
            return 0
        self.model.train()
        with closing(self.stream.epoch(state.epoch, state.step_in_epoch)) as batches:
            for batch in batches:
                self.meter.record(*self.stepper.take(batch, state.step))
                state.step, state.step_in_epoch = state.step + 1, state.step_in_epoch + 1
                self.bar.step()
                ends = state.step_in_epoch == steps or state.step == self.last_step
                reason = self._between_steps(read=ends or state.step % self.config.log_every == 0)
                if reason or state.step == self.last_step:
                    return reason
        return 0

    def _between_steps(self, *, read: bool) -> int:
        """Logs and saves where that is due; why to stop now, else 0."""
        if read:
            self._log_interval()
        every = self.config.save_every_steps
        if every and self.state.step % every == 0:
            self._save("running")
        if not (self.ranks.alone or read):
            return 0  # ranks must agree, and only ask each other where they wait anyway
        return self._reason_to_stop()

    def _reason_to_stop(self) -> int:
        """The same on all ranks: the exit code of a signal, or TIME_IS_UP, else 0."""
        limit = self.config.max_minutes
        late = limit is not None and self.clock.seconds >= 60 * limit
        return self.ranks.largest(self.interrupts.requested or (TIME_IS_UP if late else 0))

    def _log_interval(self) -> None:
        state = self.state
        self.meter.collect(step=state.step, epoch=state.epoch)
        interval = self.meter.flush()
        state.targets += interval.targets
        seconds, waiting = self.clock.look(self.stream.wait_seconds)
        loss = interval.loss / max(interval.targets, 1)
        pace = interval.targets / seconds
        values = {
            "epoch": state.epoch + 1,
            "loss": loss,
            "lr": self.stepper.schedule.rate(state.step - 1),
            "gradient_norm": interval.norm / interval.steps,
            "targets": interval.targets,
            "targets_per_second": pace,
            "data_wait": waiting,
            "seconds": self.clock.seconds,
        }
        self.journal.write("train", state.step, values)
        self.bar.show(state.epoch, loss, pace, waiting)

    def _validation_is_due(self) -> bool:
        done = self.state.epoch + 1
        due = done % self.config.eval_every == 0 or done == self.config.epochs
        return due and self.validate is not None and self.state.evaluated < self.state.step

    def _validate(self) -> None:
        """Measures the (averaged) weights, and keeps them if they are the best so far."""
        state, config = self.state, self.config
        self.meter.collect(step=state.step, epoch=state.epoch)
        with self._averaged():
            metrics = self._metrics()
            if config.monitor not in metrics:
                known = ", ".join(sorted(metrics)) or "none"
                raise ConfigError(
                    f"option `training.monitor` is {config.monitor!r}: validation measures {known}"
                )
            if state.stop.update(metrics[config.monitor], state.step):
                self._keep_best(metrics)
        state.evaluated = state.step
        evaluation = Evaluation(
            step=state.step, epoch=min(state.epoch + 1, config.epochs),
            seconds=self.clock.seconds, metrics=metrics,
        )  # fmt: skip
        state.history.append(evaluation)
        values = {"epoch": evaluation.epoch, **metrics, "seconds": evaluation.seconds}
        self.journal.write("validation", state.step, values)
        self.clock.look(self.stream.wait_seconds)  # the pace of training leaves it out
        if self.watch is not None:
            self.watch(evaluation)

    def _metrics(self) -> dict[str, float]:
        assert self.validate is not None
        with ExitStack() as stack:
            stack.enter_context(preserved(self.device))
            stack.enter_context(torch.no_grad())
            if self.ranks.alone:
                stack.enter_context(self.interrupts.at_once())
            return self.ranks.of_first(self.validate(self.model))

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Within it the model is in eval mode and has the weights that users get."""
        with self.ema.applied() if self.ema is not None else nullcontext():
            self.model.eval()
            try:
                yield
            finally:
                self.model.train()

    def _keep_best(self, metrics: Mapping[str, float]) -> None:
        weights = self.model.state_dict()
        if self.folder is None:
            self.best = {name: tensor.clone() for name, tensor in weights.items()}
        elif self.ranks.writes:
            self.journal.sync()  # another run may have taken the folder since
            training = {
                "step": self.state.step,
                "monitor": self.config.monitor,
                "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
            }
            save_artifact(
                self.folder / BEST,
                {**self.keep.tensors, "model": weights},
                {**self.keep.documents, "training": training},
            )

    def _save(self, status: str) -> None:
        """Writes `last/`, once the weights are known to be finite."""
        state = self.state
        self.meter.collect(step=state.step, epoch=state.epoch)
        tensors = self.tensors.collect()
        state.interval, state.seconds, state.status = (
            self.meter.interval, self.clock.seconds, status,
        )  # fmt: skip
        if self.folder is None or not self.ranks.writes:
            return
        state.log_bytes = self.journal.sync()
        documents = {
            "state": state.to_document(),
            "identity": self.identity,
            "environment": environment(self.device, self.ranks),
        }
        save_artifact(self.folder / LAST, tensors, documents)

    def _finish(self, status: str) -> None:
        """Ends the run with that status, its last weights validated and the best ones kept.

        A time limit falls anywhere in an epoch. Nothing is judged there: a run that is resumed
        after it has the validations, and so the weights, of one that was never stopped.
        """
        state = self.state
        judged = self.validate is not None and status != TIME_LIMITED
        if judged and state.evaluated < state.step:
            self._validate()
        if state.stop.best_step is None:
            if state.history:
                logger.warning("%s was never a number: the last weights are kept as the best",
                               self.config.monitor)  # fmt: skip
            with self._averaged():
                self._keep_best({})
        self._save(status)
        requested = self.ranks.largest(self.interrupts.requested)
        if requested:
            raise interrupted(requested)

    def _load_best(self) -> None:
        weights = self.best
        if self.folder is not None:
            self.ranks.wait()
            weights = self._own_best(self.folder / BEST)
        assert weights is not None
        self.model.load_state_dict(weights)
        self.model.eval()

    def _own_best(self, source: Path) -> Mapping[str, Tensor]:
        """The weights that `_keep_best` wrote, unless somebody has put others in their place."""
        best, step = load_artifact(source), self.state.stop.best_step or self.state.step
        kept = best.documents["training"]["step"]
        if kept != step:
            raise CheckpointError(
                f"{source} has the weights of step {kept}, and this run's are of step {step}: "
                "another run has written there"
            )
        weights = best.tensors["model"]
        check_state(self.model, weights, source=str(source))
        return weights
