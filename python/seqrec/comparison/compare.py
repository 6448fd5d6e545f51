"""models x tasks x data sets: train what is missing, judge everything on the same users, one table.

Each cell is a run in its own folder, DATA/TASK/MODEL, with its config, log and ledger. A cell
whose results are there is not trained or judged again; a cell that was interrupted goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqrec import config as configs
from seqrec.comparison.results import load_results, save_results
from seqrec.comparison.systems import Ceiling, Result, Systems
from seqrec.data import Split
from seqrec.evaluation import (
    Difference,
    NextItemResult,
    Report,
    compare_next_item,
    compare_relevance,
)
from seqrec.experiment import MODELS, TASKS, fit_layers, load

Say = Callable[[str], None]
HEADLINE = {"next_item": "ndcg@10", "relevance": "accuracy"}
SHOWN = {
    "next_item": ("hit@10", "ndcg@10", "mrr@10"),
    "relevance": ("accuracy", "auc", "logloss", "ece"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """All systems on one task of one data set.

    Attributes:
        data: name of the data set.
        task: "next_item" or "relevance".
        reports: one a system, baselines first.
        differences: (first, second) -> the paired difference of the headline metric.
    """

    data: str
    task: str
    reports: Sequence[Report]
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The metric that differences are about."""
        return HEADLINE[self.task]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that tables show."""
        return SHOWN[self.task]


def compare(
    name: str,
    split: Split,
    *,
    folder: Path,
    part: str = "test",
    models: Sequence[str] = MODELS,
    tasks: Sequence[str] = TASKS,
    layers: Mapping[str, Mapping[str, Any]] | None = None,
    cells: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
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
        tasks: which tasks.
        layers: named config layers for every cell, later ones winning.
        cells: (model, task) -> config tables of that cell, below the layers.
        ceiling: the best possible scorers, of simulated data.
        say: told about progress, a line at a time.
    """
    clock = _Clock(len(models) * len(tasks), say)
    compared = []
    for task in tasks:
        systems = Systems(split, part, ceiling)
        results: dict[str, Result] = {}
        for system in systems.names(task):
            results[system] = _baseline(systems, task, system, folder / name / task)
            say(f"{name} {task} {system}: done")
        best_possible = results.pop("ceiling", None)
        for model in models:
            clock.start(f"{name} {task} {model}")
            cell = folder / name / task / model
            tables = {"cell": (cells or {}).get((model, task), {}), **(layers or {})}
            stacked = {**tables, "asked": {"model": model, "task": task}}
            results[model] = _cell(cell, split, part, stacked)
            clock.finish()
        if best_possible is not None:
            results["ceiling"] = best_possible
        compared.append(_comparison(name, task, results, models))
    return compared


def _baseline(systems: Systems, task: str, system: str, folder: Path) -> Result:
    """The results of a baseline, from its folder if they are there."""
    place = folder / "baselines" / f"{system}-{systems.part}"
    if not place.exists():
        save_results(place, systems.result(task, system), systems.split)
    return load_results(place, systems.split)


def read_recipes(folder: Path, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The recipes `NAME-MODEL-TASK.toml` of a data set, for `cells`; a cell may have none."""
    paths = {(m, t): folder / f"{name}-{m}-{t}.toml" for m in MODELS for t in TASKS}
    return {cell: configs.read_toml(path) for cell, path in paths.items() if path.exists()}


def _cell(folder: Path, split: Split, part: str, layers: Mapping[str, Mapping[str, Any]]) -> Result:
    """The results of one cell, from its folder if they are there."""
    place = folder / f"results-{part}"
    if place.exists():
        return load_results(place, split)
    fit_layers(layers, split, folder=folder, resume=True)
    run = load(folder, dataset=split.dataset)
    run.split = split  # the same parts, not a copy of them
    result = run.results(part)
    if part == "test":
        run.note_reading()
    save_results(place, result, split)
    return result


def _comparison(
    name: str, task: str, results: Mapping[str, Result], models: Sequence[str]
) -> Comparison:
    pairs = [(model, other) for model in models for other in results if other not in models]
    pairs += [(models[i], other) for i in range(len(models)) for other in models[i + 1 :]]
    headline = HEADLINE[task]
    return Comparison(
        data=name,
        task=task,
        reports=[result.report(system) for system, result in results.items()],
        differences={(a, b): _difference(results[a], results[b], headline) for a, b in pairs},
    )


def _difference(first: Result, second: Result, metric: str) -> Difference:
    if isinstance(first, NextItemResult):
        assert isinstance(second, NextItemResult)  # systems of one task
        return compare_next_item(first, second)[metric]
    assert not isinstance(second, NextItemResult)
    return compare_relevance(first, second)[metric]


class _Clock:
    """Says which cell begins, how long one took, and about how long the others will."""

    def __init__(self, cells: int, say: Say) -> None:
        self._cells, self._say = cells, say
        self._done, self._spent, self._began = 0, 0.0, 0.0

    def start(self, name: str) -> None:
        left = self._cells - self._done
        known = f", about {self._spent / self._done * left / 60:.1f} min left" if self._done else ""
        self._say(f"[{self._done + 1}/{self._cells}] {name}{known}")
        self._began = time.perf_counter()

    def finish(self) -> None:
        self._done += 1
        self._spent += time.perf_counter() - self._began
