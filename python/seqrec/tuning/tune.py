"""The search: propose, train on a short budget, give up or go on, keep the best.

Everything is decided on the validation part by the run's `training.monitor`; the test part of the
split is not looked at. All trials have the run's own seed, so that options are compared and not
draws.
"""

from __future__ import annotations

import dataclasses
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec import config as configs
from seqrec.data import Split
from seqrec.errors import (
    ConfigError,
    DivergenceError,
    InterruptedRunError,
    OutOfMemoryError,
    SeqrecError,
)
from seqrec.experiment import RunConfig, fit_layers, resolve
from seqrec.files import make_folder
from seqrec.training import Evaluation, choose_device, interrupted, larger_is_better
from seqrec.tuning.lock import Lock
from seqrec.tuning.recipe import write_recipe
from seqrec.tuning.search import Search, keep_best, open_folder, place, read_search
from seqrec.tuning.space import Layers, Space, default_space, read_space
from seqrec.tuning.study import Claim, Study, import_optuna
from seqrec.tuning.trial import ENDED, RUN, Trial, read_trial

Say = Callable[[str], None]


class _HopelessError(SeqrecError):
    """Ends the run of a trial that the median rule gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What all trials have in common.

    `layers` are the search's, and on top what no value of a trial is to move (`Space.kept`);
    `base` is their config with the budget on top of them, `tables` what `space` was read from.
    """

    split: Split
    layers: Layers
    budget: Mapping[str, Any]
    tables: Mapping[str, Any]
    space: Space
    base: RunConfig
    folder: Path

    @property
    def monitor(self) -> str:
        return self.base.training.monitor

    def identity(self) -> dict[str, Any]:
        training = {**self.base.training.identity(), "max_minutes": self.base.training.max_minutes}
        return {
            "split": self.split.protocol(),
            "config": {**self.base.identity(), "training": training},
            "budget": self.budget,
            "space": self.tables,
        }


def tune(
    split: Split,
    *,
    layers: Layers,
    folder: str | Path,
    space: Mapping[str, Any] | None = None,
    trials: int = 20,
    max_minutes: float | None = None,
    budget: Mapping[str, Any] | None = None,
    prune_after: int = 5,
    seed: int = 0,
    say: Say = lambda _: None,
) -> Search:
    """Searches the options of a run; where the folder holds the search already, goes on with it.

    The first trial has the values that the layers have, where the space holds them. The others are
    proposed by a tree-structured Parzen estimator (Bergstra et al., NIPS 2011). Any number of
    processes may search in one folder at a time.

    Args:
        split: what is trained on and validated on.
        layers: named config layers that the search starts from, as those of `fit_layers`.
        folder: where the search is kept; `seqrec.tuning.search` says how.
        space: tables of ranges and choices, as `seqrec.tuning.space` says; those of `default_space`
            for the model and task if None.
        trials: how many there are to be in the folder in the end.
        max_minutes: begin no trial after so much time; the one under way comes to its end.
        budget: tables over the layers that trials have and `best.toml` has not: their short
            length, as {"training": {"epochs": 4}}.
        prune_after: trials that come to their end before any is given up by the median rule.
        seed: of the proposals; that of the runs is `training.seed` of the layers.
        say: told about each trial, a line at a time.

    Raises:
        ConfigError: for an option that does not exist or fit, or if optuna is not installed.
        CheckpointError: if the folder holds another search.
        InterruptedRunError: on SIGINT, SIGTERM or SIGHUP, after the state of the trial was saved.
    """
    for name, value in (("trials", trials), ("prune_after", prune_after)):
        configs.check(value >= 1, name, value, "at least 1")
    configs.check(seed >= 0, "seed", seed, "at least 0")
    in_time = max_minutes is None or max_minutes >= 0  # false for NaN
    configs.check(in_time, "max_minutes", max_minutes, "at least 0")
    plan = _planned(split, layers, budget or {}, space, Path(folder))
    for path, value in plan.space.outside(plan.base).items():
        say(f"{path} = {configs.toml_value(value)} is outside the space: no trial has it")
    study = _open(plan, prune_after=prune_after, identity={**plan.identity(), "seed": seed})
    began = time.monotonic()
    while max_minutes is None or time.monotonic() - began < 60 * max_minutes:
        with study.claim(trials) as claim:
            if claim is None:
                break
            trial = _run(plan, claim)
            with study.lock:
                line = _finish(trial, claim, plan, trials)
        say(line)
    with study.lock:  # whoever ended the last trial may have been killed before
        return _keep_best(plan)


def _planned(
    split: Split,
    layers: Layers,
    budget: Mapping[str, Any],
    space: Mapping[str, Any] | None,
    folder: Path,
) -> _Plan:
    """The plan, with every option checked before anything is trained or written."""
    import_optuna()
    budgeted = {**layers, "budget": budget}
    base = resolve(budgeted, split)[0]
    choose_device(base.training.device)
    tables = tomllib.loads(default_space(base.model, base.task)) if space is None else space
    dimensions = read_space(tables, budgeted)
    return _Plan(
        split=split, layers={**layers, "kept": dimensions.kept(resolve(layers, split)[0])},
        budget=budget, tables=tables, space=dimensions, base=base, folder=folder,
    )  # fmt: skip


def _open(plan: _Plan, *, prune_after: int, identity: Mapping[str, Any]) -> Study:
    make_folder(plan.folder)
    lock = Lock(plan.folder / ".lock")
    with lock:
        open_folder(plan.folder, identity)
        return Study(
            plan.folder, plan.space, lock=lock, maximize=larger_is_better(plan.monitor),
            seed=identity["seed"], prune_after=prune_after, start=plan.space.start(plan.base),
        )  # fmt: skip


def _run(plan: _Plan, claim: Claim) -> Trial:
    """Trains one trial, or the rest of one; its record is on disk then."""
    home = place(plan.folder, claim.number)
    trial = read_trial(home, plan.monitor) or Trial(
        number=claim.number, status="running", values=claim.values
    )
    if trial.status != "running":
        return trial  # by a process that was killed before it could tell
    tables, name = plan.space.tables(claim.values), f"trial {claim.number}"
    layers = {**plan.layers, "budget": plan.budget, name: tables}
    watcher = _Watcher(plan.monitor, claim, home, trial)
    try:
        watcher.begin(resolve(layers, plan.split)[0])
        run = fit_layers(layers, plan.split, folder=home / RUN, resume=True, watch=watcher)
    except _HopelessError as error:
        return watcher.end("pruned", str(error))
    except InterruptedRunError as error:
        goes_on = f" in {name}; begin the search again to go on"
        raise interrupted(error.exit_code, goes_on) from None
    except DivergenceError as error:
        return watcher.end("diverged", str(error))
    except ConfigError as error:
        return watcher.end("refused", str(error))
    except OutOfMemoryError as error:
        return watcher.end("out of memory", str(error).removeprefix("out of memory: "))
    assert run.training is not None  # `fit_layers` has just ended it
    return watcher.end(run.training.status)


def _finish(trial: Trial, claim: Claim, plan: _Plan, trials: int) -> str:
    """Tells what a trial came to, and keeps the best one; a line about it."""
    ended, best = trial.status in ENDED, trial.best(plan.monitor)
    claim.tell(best.metrics[plan.monitor] if ended and best is not None else None)
    search = _keep_best(plan)
    value = "" if best is None else f" {plan.monitor} {best.metrics[plan.monitor]:.4f}"
    is_best = search.best is not None and search.best.number == trial.number
    mark = ", the best so far" if is_best else ""
    note = f" ({trial.note})" if trial.note else ""
    minutes = f"{trial.seconds / 60:.1f} min"
    return f"[{trial.number + 1}/{trials}]{value} {trial.status}{note}, {minutes}{mark}"


def _keep_best(plan: _Plan) -> Search:
    """The search as its folder has it, with the weights and the recipe of its best trial alone."""
    search = read_search(plan.folder)
    keep_best(search)
    if search.best is not None:
        write_recipe(search, plan.layers, plan.space, plan.budget)
    return search


class _Watcher:
    """Keeps the record of a trial up to date, and gives up the trial where it is hopeless."""

    def __init__(self, monitor: str, claim: Claim, home: Path, trial: Trial) -> None:
        self._monitor, self._claim, self._home, self._trial = monitor, claim, home, trial

    def begin(self, run_config: RunConfig) -> None:
        self._put(dataclasses.replace(self._trial, config=configs.to_dict(run_config)))

    def __call__(self, evaluation: Evaluation) -> None:
        self._put(self._trial.observed(evaluation))
        value = evaluation.metrics[self._monitor]
        hopeless = self._claim.is_hopeless(evaluation.epoch, value)
        budget = self._trial.config["training"]
        steps_left = budget["max_steps"] is None or evaluation.step < budget["max_steps"]
        if hopeless and steps_left and evaluation.epoch < budget["epochs"]:
            raise _HopelessError(f"behind the median at epoch {evaluation.epoch}")

    def end(self, status: str, note: str = "") -> Trial:
        self._put(dataclasses.replace(self._trial, status=status, note=note))
        return self._trial

    def _put(self, trial: Trial) -> None:
        self._trial = trial
        trial.write(self._home)
