"""The folder of a search: which search it is, its trials, the best of them and its recipe.

study.json      what the search is: data, config, space, budget, seeds
journal.jsonl   optuna's journal: what was proposed and what came of it
trials/0007/    trial.json, and `run/` while it trains and as long as it is the best
best.toml       the recipe of the best trial
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec import config as configs
from seqrec.errors import CheckpointError, ResourceError
from seqrec.files import read_json, whole_file, write_json
from seqrec.training import larger_is_better
from seqrec.tuning.trial import ENDED, RUN, Trial, read_trial

STUDY, TRIALS, BEST = "study.json", "trials", "best.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search, as far as it has come.

    Attributes:
        folder: where it is kept.
        monitor: the validation metric by which trials are ranked.
        trials: by number, those under way included.
    """

    folder: Path
    monitor: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial with the best value among those that came to their end, if any did."""
        first = next(iter(self.ranked()), None)
        return first if first is not None and self._rank(first)[0] == 0 else None

    @property
    def recipe(self) -> Path:
        """`best.toml`, for `seqrec train --recipe`; not there before a trial has ended."""
        return self.folder / BEST

    def run_of(self, trial: Trial) -> Path:
        """The run folder of a trial; that of the best is kept."""
        return place(self.folder, trial.number) / RUN

    def ranked(self) -> list[Trial]:
        """Trials that ended, best first; then those that were pruned, and all others."""
        return sorted(self.trials, key=self._rank)

    def _rank(self, trial: Trial) -> tuple[int, float, int]:
        best = trial.best(self.monitor)
        if best is None:
            return 2, 0.0, trial.number
        value = best.metrics[self.monitor]
        value = -value if larger_is_better(self.monitor) else value
        return 0 if trial.status in ENDED else 1, value, trial.number


def read_search(folder: Path) -> Search:
    """The search of a folder.

    Raises:
        CheckpointError: if there is none, or a file is damaged.
    """
    study = read_json(folder / STUDY, CheckpointError)
    try:
        monitor = study["config"]["training"]["monitor"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / STUDY} describes no search: {error!r}") from None
    records = (read_trial(place, monitor) for place in sorted((folder / TRIALS).glob("[0-9]*")))
    trials = tuple(trial for trial in records if trial is not None)
    return Search(folder=folder, monitor=monitor, trials=trials)


def place(folder: Path, number: int) -> Path:
    """The folder of a trial."""
    return folder / TRIALS / f"{number:04d}"


def open_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Makes the folder the place of this search, or finds that it is.

    Args:
        folder: new, or of a search that was begun.
        identity: what all trials have in common, as nested tables.

    Raises:
        CheckpointError: if it holds another search; names what differs.
        ResourceError: if it holds anything else, or cannot be written.
    """
    path = folder / STUDY
    if path.exists():
        begun = read_json(path, CheckpointError)
        if not isinstance(begun, dict):
            raise CheckpointError(f"{path} describes no search: it is no table")
        wrong = configs.differences(begun, identity)
        if wrong:
            raise CheckpointError(
                f"{folder} holds another search: {'; '.join(wrong)}. Go on with what it was begun "
                "with, or choose another folder"
            )
        return
    foreign = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    if foreign:
        raise ResourceError(f"{folder} holds {foreign[0]!r} and no search: choose another folder")
    with whole_file(path) as aside:
        write_json(aside, configs.as_json(identity))


def keep_best(search: Search) -> None:
    """Removes the weights of all trials that ended but the best one's."""
    for trial in search.trials:
        if trial is not search.best and trial.status != "running":
            shutil.rmtree(search.run_of(trial), ignore_errors=True)
