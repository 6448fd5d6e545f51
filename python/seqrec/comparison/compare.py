"""models x tasks x data sets: train what is missing, judge everything on the same users, one table.

Each cell is a run in its own folder, DATA/TASK/MODEL/seed-N, with its config, log and ledger. A
cell whose results are there is not trained or judged again; a cell that was interrupted goes on.
Seeds are paired by index: a difference of two models is that of their runs with the same seed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from seqrec import config as configs
from seqrec.comparison.cells import (
    QUESTIONS,
    Layers,
    Tables,
    evaluation_of,
    negatives_of,
    plan_cells,
)
from seqrec.comparison.results import Judged, load_judged, save_judged
from seqrec.comparison.systems import Ceiling, Result, Systems
from seqrec.data import Split, evaluation_negatives
from seqrec.evaluation import (
    Difference,
    NextItemResult,
    Report,
    compare_next_item,
    compare_relevance,
    mean_difference_of,
    mean_report,
)
from seqrec.experiment import MODELS, TASKS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All systems on one task of one data set.

    Attributes:
        data: name of the data set.
        task: "next_item", "relevance" or "relevance-popularity".
        reports: one a system, baselines first; the mean over the seeds where there are several.
        differences: (first, second) -> the paired difference of the headline metric.
    """

    data: str
    task: str
    reports: Sequence[Report]
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The metric that differences are about."""
        return self.metrics[1] if self.task == "next_item" else self.metrics[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that tables show."""
        if self.task == "next_item":
            k = self.reports[0].protocol["k"]
            return (f"hit@{k}", f"ndcg@{k}", f"mrr@{k}")
        return ("accuracy", "auc", "logloss", "ece")


def compare(
    name: str,
    split: Split,
    *,
    folder: Path,
    part: str = "test",
    models: Sequence[str] = MODELS,
    tasks: Sequence[str] = TASKS,
    layers: Layers | None = None,
    cells: Tables | None = None,
    seeds: int = 1,
    refits: bool = False,
    ceiling: Ceiling | None = None,
    say: Say = lambda _: None,
) -> list[Comparison]:
    """Trains and judges every cell of one data set.

    Args:
        name: of the data set, in tables and folders.
        split: what is trained on and judged.
        folder: where the cells live.
        part: "valid" or "test".
        models: which models.
        tasks: which tasks; "relevance-popularity" trains and judges with negatives drawn in
            proportion to training counts.
        layers: named config layers for every cell, later ones winning.
        cells: (model, task) -> config tables of that cell, below the layers.
        seeds: runs of each model, with seeds from `training.seed` on.
        refits: also train each run again with the validation part (`seqrec.refit`): rows of their
            own, of the test part alone.
        ceiling: the best possible scorers, of simulated data.
        say: told about progress, a line at a time.

    Raises:
        ConfigError: for an option that does not exist or fit, before anything is trained.
        CheckpointError: if the folder holds runs or results of other data or another config.
    """
    configs.check(part == "test" or not refits, "part", part, "'test' for refits")
    for option, given in (("models", models), ("tasks", tasks)):
        once = len(set(given)) == len(given)
        configs.check(once, option, given, "each once: seeds are an option")
    planned = {
        task: plan_cells(
            task, split, folder / name / task, models, layers or {}, cells or {}, seeds, refits
        )
        for task in tasks
    }
    for task in tasks:
        if QUESTIONS[task]["task"] == "relevance":  # refused now, and not when models are trained
            evaluation_negatives(split, split.part(part), draws=1, kind=negatives_of(task))
    of_all = itertools.chain.from_iterable(planned.values())
    stored = {cell.folder: cell.stored(split, part) for cell in of_all}
    clock = _Clock(sum(found is None for found in stored.values()), say)
    compared = []
    for task, of_task in planned.items():
        systems = Systems(split, part, evaluation_of(of_task), ceiling, negatives_of(task))
        once = _baselines(systems, task, folder / name / task, lambda s: say(f"{name} {s}"))
        judged = {system: [one] for system, one in once.items()}
        best_possible = judged.pop("ceiling", None)
        for cell in of_task:
            label = f"{name} {task} {cell.system}" + (f" seed {cell.seed}" if seeds > 1 else "")
            found = stored[cell.folder]
            with clock.timing(label, counted=found is None):
                judged.setdefault(cell.system, []).append(cell.judged(split, part, found))
        if best_possible is not None:
            judged["ceiling"] = best_possible
        compared.append(_comparison(name, task, judged, models))
    return compared


def _baselines(systems: Systems, question: str, folder: Path, say: Say) -> dict[str, Judged]:
    """The results of the baselines and the ceiling, from their folders if they are there."""
    found: dict[str, Judged] = {}
    task = QUESTIONS[question]["task"]
    rules = {
        "evaluation": configs.to_dict(systems.evaluation),
        "split": systems.split.protocol(),
    }
    for system in systems.names(task):
        place = folder / "baselines" / f"{system}-{systems.part}"
        identity = {**rules, "fit": systems.settings(system)}
        stored = load_judged(place, identity)
        if stored is None:
            say(f"{question} {system}")
            result = systems.result(task, system)
            stored = Judged(result, result.report(system))
            save_judged(place, stored, identity)
        found[system] = stored
    return found


def _comparison(
    name: str, task: str, judged: Mapping[str, Sequence[Judged]], models: Sequence[str]
) -> Comparison:
    """`judged` has the seeds of each model, and one of what has no seed."""
    pairs = [(model, other) for model in models for other in judged if other not in models]
    pairs += [(models[i], other) for i in range(len(models)) for other in models[i + 1 :]]
    reports = [mean_report([one.report for one in seeds]) for seeds in judged.values()]
    metric = Comparison(name, task, reports).headline
    differences = {}
    for first, second in pairs:
        seeds = zip(judged[first], itertools.cycle(judged[second]), strict=False)
        found = [_difference(a.result, b.result, metric) for a, b in seeds]
        differences[first, second] = mean_difference_of(found)
    return Comparison(name, task, reports, differences)


def _difference(first: Result, second: Result, metric: str) -> Difference:
    if isinstance(first, NextItemResult):
        assert isinstance(second, NextItemResult)  # systems of one task
        return compare_next_item(first, second)[metric]
    assert not isinstance(second, NextItemResult)
    return compare_relevance(first, second, only=[metric])[metric]


class _Clock:
    """Says which cell begins, how long one took, and about how long the others will."""

    def __init__(self, cells: int, say: Say) -> None:
        self._cells, self._say = cells, say
        self._done, self._spent = 0, 0.0

    @contextmanager
    def timing(self, name: str, *, counted: bool) -> Iterator[None]:
        """Within it a cell is trained; one that is not `counted` has its results already."""
        if not counted:
            yield
            return
        left = self._cells - self._done
        known = f", about {self._spent / self._done * left / 60:.1f} min left" if self._done else ""
        self._say(f"[{self._done + 1}/{self._cells}] {name}{known}")
        began = time.perf_counter()
        yield
        self._done += 1
        self._spent += time.perf_counter() - began
