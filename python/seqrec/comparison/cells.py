"""The cells of a comparison: one model on one task of one data set with one seed, each a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqrec import config as configs
from seqrec.comparison.results import Judged, load_judged, results_place, save_judged
from seqrec.data import NegativesKind, Split
from seqrec.errors import ConfigError, InterruptedRunError
from seqrec.evaluation import EvalConfig
from seqrec.experiment import MODELS, REFIT, Run, RunConfig, fit_layers, readings, refit, resolve
from seqrec.training import interrupted

POPULARITY = "relevance-popularity"
# What each table asks; the last one is a row of its own in the protocol.
QUESTIONS: dict[str, Mapping[str, Any]] = {
    "next_item": {"task": "next_item"},
    "relevance": {"task": "relevance"},
    POPULARITY: {"task": "relevance", "negatives": {"neg_sampling": "popularity"}},
}
Layers = Mapping[str, Mapping[str, Any]]
Tables = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a comparison.

    Attributes:
        model: which model.
        seed: of the run.
        folder: of the run and of its results.
        layers: of its config.
        config: what the layers come to.
        refit_of: the folder of the run that this cell trains again with the validation part, or
            None for a run of its own.
    """

    model: str
    seed: int
    folder: Path
    layers: Layers
    config: RunConfig
    refit_of: Path | None = None

    @property
    def system(self) -> str:
        """What the rows of tables call it."""
        return self.model if self.refit_of is None else f"{self.model}, refit"

    def stored(self, split: Split, part: str) -> Judged | None:
        """The results in the folder, if there are any."""
        judged = load_judged(results_place(self.folder, part), self._identity(split))
        if judged is None:
            return None
        counts = {"test_readings": readings(self.folder)}
        return Judged(judged.result, judged.report.with_counts(counts))

    def judged(self, split: Split, part: str, stored: Judged | None) -> Judged:
        """The results of a run that is trained to its end, or as far as its time allows.

        `stored` is what `stored` has found: finished results are given back as they are.
        """
        if stored is not None and not stored.report.caveat:
            return stored
        run = self._run(split)
        assert run.training is not None  # `fit_layers` has just ended it
        if stored is not None and stored.report.training["steps"] == run.training.steps:
            return stored
        result = run.results(part)
        judged = Judged(result, run.described(result.report(self.system)))
        save_judged(results_place(self.folder, part), judged, self._identity(split))
        return judged

    def _run(self, split: Split) -> Run:
        try:
            run = fit_layers(self.layers, split, folder=self.refit_of or self.folder, resume=True)
            if self.refit_of is None:
                return run
            return refit(run, folder=self.folder, resume=True)
        except InterruptedRunError as error:
            goes_on = f" in {self.folder}; begin the comparison again to go on"
            raise interrupted(error.exit_code, goes_on) from None

    def _identity(self, split: Split) -> dict[str, Any]:
        return cell_identity(self.config, split.protocol(), is_refit=self.refit_of is not None)


def cell_identity(
    run_config: RunConfig, split: Mapping[str, Any], *, is_refit: bool
) -> dict[str, Any]:
    """What the results of a cell depend on; `split` is the protocol of its split."""
    mark = {REFIT: True} if is_refit else {}
    return {"config": run_config.identity(), "split": dict(split), **mark}


def plan_cells(
    question: str,
    split: Split,
    folder: Path,
    models: Sequence[str],
    layers: Layers,
    tables: Tables,
    seeds: int,
    refits: bool = False,
) -> list[Cell]:
    """The cells of one question, with their configs checked before anything is trained.

    Each model has `seeds` of them, from the config's `training.seed` on; with `refits`, each of
    them is followed by its refit.

    Raises:
        ConfigError: for a question, model or option that does not exist, where the models would be
            judged by different rules, or where a run might end without what its refit needs.
    """
    if question not in QUESTIONS:
        raise configs.unknown_value("task", question, QUESTIONS)
    configs.check(seeds >= 1, "seeds", seeds, "at least 1")
    cells = []
    for model in models:
        asked = {"model": model, **QUESTIONS[question]}
        recipe = {f"recipe of {model} on {question}": tables.get((model, question), {})}
        stacked = {**recipe, **layers, "asked": asked}
        chosen, origins = resolve(stacked, split)
        if refits:
            _check_refits(chosen, origins, f"{model} on {question}")
        first = chosen.training.seed
        for seed in range(first, first + seeds):
            seeded = {**stacked, "seed": {"training": {"seed": seed}}}
            place = folder / model / f"seed-{seed}"
            cell = Cell(model, seed, place, seeded, resolve(seeded, split)[0])
            cells.append(cell)
            if refits:
                cells.append(dataclasses.replace(cell, folder=place / REFIT, refit_of=place))
    _check_rules(question, cells)
    return cells


def negatives_of(question: str) -> NegativesKind:
    """The negatives that a question is asked with."""
    return QUESTIONS[question].get("negatives", {}).get("neg_sampling", "uniform")


def evaluation_of(cells: Sequence[Cell]) -> EvalConfig:
    """The rules by which all of the cells are judged, and so everything beside them."""
    return cells[0].config.evaluation if cells else EvalConfig()


def recipe_paths(folder: Path, name: str) -> dict[tuple[str, str], Path]:
    """The recipes `NAME-MODEL-TASK.toml` of a data set, by model and task; a cell may have none.

    Raises:
        ConfigError: if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder of recipes {folder}")
    paths = {(m, q): folder / f"{name}-{m}-{q}.toml" for m in MODELS for q in QUESTIONS}
    return {cell: path for cell, path in paths.items() if path.exists()}


def _check_refits(chosen: RunConfig, origins: Mapping[str, str], cell: str) -> None:
    """A refit takes the steps that validation chose: a run has to end with some, whenever it is."""
    training = chosen.training
    for name, fits, rule in (
        ("max_minutes", training.max_minutes is None, "left out"),
        ("epochs", training.epochs != 0, "at least 1"),
        ("max_steps", training.max_steps != 0, "at least 1, or left out"),
    ):
        place = origins.get(f"training.{name}", "default")
        rule = f"{rule} where {cell} is refitted with the steps that validation chose ({place})"
        configs.check(fits, f"training.{name}", getattr(training, name), rule)


def _check_rules(question: str, cells: Sequence[Cell]) -> None:
    for cell in cells:
        if cell.config.evaluation != evaluation_of(cells):
            raise ConfigError(
                f"the [evaluation] tables of {cells[0].model} and {cell.model} differ on "
                f"{question}: what stands in one table is judged by the same rules"
            )
        if question == "relevance" and cell.config.negatives_kind == "popularity":
            raise ConfigError(
                f"option `negatives.neg_sampling` is 'popularity' for {cell.model}: "
                f"that is the task {POPULARITY}, a table of its own"
            )
