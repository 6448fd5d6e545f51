"""optuna, as a search uses it: what to try next, what to give up, and the journal of both.

Which values a trial gets depends on (seed, number of the trial, what earlier trials came to): a
search that was stopped and started again proposes what the unbroken one would have. The journal is
text; nothing in it is pickled. Processes that share it divide the trials among themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from seqrec.errors import CheckpointError, ConfigError, ResourceError
from seqrec.training import locked
from seqrec.tuning.lock import Lock
from seqrec.tuning.search import place
from seqrec.tuning.space import DIGITS, Choices, Dimension, Range, Space

if TYPE_CHECKING:
    import optuna

JOURNAL, NAME = "journal.jsonl", "seqrec"
FIRST_PRUNED = 2  # the epoch: one alone says more of the rate than of the model


class Claim:
    """A trial that is this process's to run.

    Attributes:
        number: of the trial.
        values: full path of an option -> its value.
    """

    def __init__(self, study: optuna.Study, trial: optuna.Trial, space: Space) -> None:
        self._study, self._trial = study, trial
        self._reported = set(study.trials[trial.number].intermediate_values)
        self.number = trial.number
        self.values = {
            path: _from_optuna(dimension, trial.params[path])
            for path, dimension in space.dimensions.items()
        }

    def is_hopeless(self, epoch: int, value: float) -> bool:
        """Takes the value of the metric after an epoch; whether the median rule gives it up."""
        if epoch not in self._reported:
            self._trial.report(value, epoch)
            self._reported.add(epoch)
        return self._trial.should_prune()

    def tell(self, value: float | None) -> None:
        """Ends the trial with its best value, or with None where it did not come to its end."""
        if value is None:
            self._study.tell(self.number, state=import_optuna().trial.TrialState.PRUNED)
        else:
            self._study.tell(self.number, value)


class Study:
    """The proposals of a search.

    Args:
        folder: of the search.
        space: what is proposed.
        lock: of the search; held while this is made.
        maximize: whether large values are the good ones.
        seed: of the proposals.
        prune_after: trials that come to their end before any is given up.
        start: values that the first trial has, where the space holds them.

    Raises:
        ConfigError: if optuna is not installed.
        CheckpointError: if the journal is damaged.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        *,
        lock: Lock,
        maximize: bool,
        seed: int,
        prune_after: int,
        start: Mapping[str, Any],
    ) -> None:
        optuna = import_optuna()
        self.lock, self._folder = lock, folder
        self._space, self._seed = space, seed
        dimensions = space.dimensions.items()
        self._distributions = {path: _to_optuna(dimension) for path, dimension in dimensions}
        self._study = _opened(
            folder / JOURNAL,
            direction="maximize" if maximize else "minimize",
            pruner=optuna.pruners.MedianPruner(prune_after, FIRST_PRUNED),
        )
        if start and not self._study.get_trials(deepcopy=False):
            first = {path: _label(space.dimensions[path], v) for path, v in start.items()}
            self._study.enqueue_trial(first)

    @contextmanager
    def claim(self, trials: int) -> Iterator[Claim | None]:
        """A trial to run: one that was interrupted, or a new one while there are fewer than that.

        Within the block no other process gets it. None: all are taken.
        """
        with ExitStack() as held:
            with self.lock:
                claim = self._interrupted(held) or self._new(trials, held)
            yield claim

    def _interrupted(self, held: ExitStack) -> Claim | None:
        optuna = import_optuna()
        state = optuna.trial.TrialState
        for frozen in self._study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            try:
                held.enter_context(locked(place(self._folder, frozen.number)))
            except ResourceError:
                continue  # another process is running it
            trial = optuna.Trial(self._study, frozen._trial_id)
            for path, distribution in self._distributions.items():
                trial._suggest(path, distribution)  # what a killed process had not written yet
            return Claim(self._study, trial, self._space)
        return None

    def _new(self, trials: int, held: ExitStack) -> Claim | None:
        waiting = import_optuna().trial.TrialState.WAITING
        known = self._study.get_trials(deepcopy=False)
        begun = [trial for trial in known if trial.state != waiting]
        if len(begun) >= trials:
            return None
        held.enter_context(locked(place(self._folder, len(begun))))
        if len(known) == len(begun):
            self._study.enqueue_trial(self._proposal(len(begun)))  # at once: all values or none
        return Claim(self._study, self._study.ask(self._distributions), self._space)

    def _proposal(self, number: int) -> dict[str, Any]:
        """The values of that trial, the next one; the journal does not learn of it."""
        optuna = import_optuna()
        seed = np.random.SeedSequence((self._seed, number)).generate_state(1)[0]
        sampler = optuna.samplers.TPESampler(seed=int(seed))
        trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
        values = {}
        for path, distribution in self._distributions.items():
            value = sampler.sample_independent(self._study, trial, path, distribution)
            values[path] = _short(self._space.dimensions[path], value)
        return values


def import_optuna() -> ModuleType:
    """The package, or ConfigError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise ConfigError("a search needs the package optuna: pip install 'seqrec[tune]'") from None
    return optuna


def _opened(path: Path, **options: Any) -> Any:
    """The study of a journal, which is read: a new one or the one that it holds."""
    optuna = import_optuna()
    lock = Lock(path.with_name(f".{path.name}-lock"))
    try:
        with lock:
            _drop_torn_line(path)
        backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=lock)
        storage = optuna.storages.JournalStorage(backend)
        return optuna.create_study(storage=storage, study_name=NAME, load_if_exists=True, **options)
    except OSError as error:
        raise ResourceError(f"cannot use {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise CheckpointError(f"{path} is no journal of a search: {error!r}") from None


def _drop_torn_line(path: Path) -> None:
    """Cuts what a writer that was killed, or a full disk, left unfinished at the end."""
    if path.exists():
        text = path.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            with path.open("r+b") as file:
                file.truncate(whole)


def _to_optuna(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    distributions = import_optuna().distributions
    if isinstance(dimension, Choices):
        labels = [_label(dimension, value) for value in dimension.values]
        return distributions.CategoricalDistribution(labels)
    low, high, log, step = dimension.low, dimension.high, dimension.log, dimension.step
    if isinstance(low, float):
        return distributions.FloatDistribution(low, high, log=log, step=step)
    return distributions.IntDistribution(low, high, log=log, step=1 if step is None else step)


def _label(dimension: Dimension, value: Any) -> Any:
    """The value as optuna can keep it: lists become text."""
    plain = isinstance(dimension, Range) or isinstance(value, str | int | float)
    return value if plain else json.dumps(value)


def _from_optuna(dimension: Dimension, label: Any) -> Any:
    if isinstance(dimension, Choices):
        return next(value for value in dimension.values if _label(dimension, value) == label)
    return label


def _short(dimension: Dimension, label: Any) -> Any:
    """The label, a real number with a few digits."""
    if isinstance(dimension, Choices) or not isinstance(label, float):
        return label
    return min(max(float(f"{label:.{DIGITS}g}"), dimension.low), dimension.high)
