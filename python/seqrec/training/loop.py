"""The door to training: plain PyTorch, exact to resume, quiet while the device works.

What lies in a run folder:

    best/       the artifact of the best (averaged) weights: what users load
    last/       the state from which `resume` goes on, bit for bit
    log.jsonl   a line for each interval and each validation
    .lock       held while a process trains here
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from seqrec.config import as_json
from seqrec.errors import ConfigError, ResourceError
from seqrec.folder import exists, remove_folder, remove_leftovers
from seqrec.training.artifact import ARTIFACT, Artifact, refuse_name
from seqrec.training.config import TrainConfig
from seqrec.training.device import choose_device, seeded, thread_limit
from seqrec.training.distributed import Ranks
from seqrec.training.interrupts import Interrupts
from seqrec.training.journal import EVENTS, LOG
from seqrec.training.lock import locked
from seqrec.training.precision import gradients
from seqrec.training.run import BEST, LAST, Run, Stream, Validate, Watch
from seqrec.training.state import TrainResult
from seqrec.training.step import Objective


def train(
    model: nn.Module,
    stream: Stream,
    *,
    objective: Objective,
    config: TrainConfig,
    validate: Validate | None = None,
    watch: Watch | None = None,
    folder: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    total_steps: int | None = None,
    identity: Mapping[str, Any] | None = None,
    keep: Artifact | None = None,
    no_decay: Collection[str] = (),
) -> TrainResult:
    """Trains `model` in place; it ends with the best weights, on the config's device.

    Args:
        model: initialised within `seeded(config.seed)`.
        stream: batches on `choose_device(config.device)`.
        objective: (model, batch) -> loss.
        config: the options.
        validate: model (in eval mode, with averaged weights) -> metrics, the monitored among them;
            without it the last weights are the best. It cannot disturb training's random draws.
        watch: told about each validation once it is in the log. What it raises ends the run; if
            that is InterruptedRunError, after the state was saved.
        folder: the run folder; without one nothing is written and signals keep their meaning.
        resume: go on from `folder/last`; from the beginning where there is no such state yet.
        overwrite: begin anew where the folder holds a run: its artifacts and its log are removed.
        total_steps: T of the schedule, where it is not the steps of all epochs of the stream.
        identity: what a resumed run must share beside the config: the data's fingerprint, the
            model's options, and so on, as nested tables of plain values.
        keep: what `best/` holds beside the weights: vocabulary, configs, protocol.
        no_decay: names of matrices without weight decay.

    Raises:
        ConfigError: if an option does not fit the model or the metrics.
        CheckpointError: if the state to resume is damaged or another run's.
        ResourceError: if the folder is in use, holds a run already, or cannot be written.
        DivergenceError: if the loss or gradient is not finite; the best artifact stays.
        InterruptedRunError: on SIGINT, SIGTERM or SIGHUP, after the state was saved.
    """
    check_place(folder, resume=resume, overwrite=overwrite)
    device = choose_device(config.device)
    ranks = Ranks(device)
    with ExitStack() as stack:
        # First, as it waits for a run of another thread, whose number of threads is not ours.
        stack.enter_context(seeded(config.seed, device=device, purpose="train", rank=ranks.rank))
        stack.enter_context(thread_limit(config.threads))
        stack.enter_context(gradients(device))
        interrupts = Interrupts()
        if folder is not None:
            _claim(folder, stack, ranks, resume=resume, overwrite=overwrite)
            stack.enter_context(interrupts)
        model.to(device)
        ranks.same_start(model)
        run = Run(
            model=model, stream=stream, objective=objective, config=config, validate=validate,
            watch=watch, folder=folder, total_steps=total_steps, keep=keep or Artifact(),
            no_decay=no_decay, device=device, ranks=ranks, interrupts=interrupts,
            identity=as_json({**(identity or {}), "train": config.identity()}),
        )  # fmt: skip
        state = state_to_resume(folder, resume=resume)
        if state is not None:
            run.restore(state)
        return run.run()


def state_to_resume(folder: Path | None, *, resume: bool) -> Path | None:
    """The state that `train` goes on from, whose weights replace the model's; None without one."""
    return folder / LAST if resume and folder is not None and exists(folder / LAST) else None


def check_place(folder: Path | None, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that holds a run which is neither gone on with nor replaced.

    Raises:
        ConfigError: if resume and overwrite contradict each other, or want a folder.
        ResourceError: if the folder holds a run already, or has a name by which the weights that
            are saved in it could not be read.
    """
    if folder is None and (resume or overwrite):
        raise ConfigError("resume and overwrite need the folder of a run")
    if resume and overwrite:
        raise ConfigError("give resume or overwrite, not both")
    if folder is not None:
        refuse_name(folder)
    held = folder is not None and (exists(folder / LAST) or exists(folder / BEST))
    if held and not (resume or overwrite):
        raise ResourceError(
            f"{folder} holds a run already: resume it (--resume), overwrite it (--overwrite), "
            "or choose another folder"
        )


def _claim(folder: Path, stack: ExitStack, ranks: Ranks, *, resume: bool, overwrite: bool) -> None:
    if ranks.writes:
        stack.enter_context(locked(folder, blank=(LOG,)))
        remove_leftovers(folder)
        if overwrite:
            _remove_run(folder)
    ranks.wait()
    check_place(folder, resume=resume, overwrite=overwrite)  # not since we waited, either


def _remove_run(folder: Path) -> None:
    """Removes what a run wrote and nothing else: what others keep beside it stays."""
    for name in (LAST, BEST):
        remove_folder(folder / name, ARTIFACT)
    (folder / LOG).unlink(missing_ok=True)
    shutil.rmtree(folder / EVENTS, ignore_errors=True)
