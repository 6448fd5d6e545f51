"""The facts of a model card, read from run folders: nothing is measured for it, nothing on test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from seqrec import config as configs
from seqrec.cards.recipe import recipe_of
from seqrec.comparison import cell_identity, load_report, results_place
from seqrec.data import Dataset
from seqrec.errors import ConfigError, DataError
from seqrec.evaluation import Report, mean_report
from seqrec.experiment import REFIT, Run, RunConfig, load
from seqrec.folder import exists
from seqrec.training import LAST, load_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One recipe: a run, or several that differ in their seed alone.

    Attributes:
        source: folder of the (first) run, as it was given.
        config: of the (first) run.
        recipe: the options that are not the defaults, as tables.
        seeds: `training.seed` of the runs.
        parameters: numbers that were trained.
        catalogue: items that the model knows.
        example: a few raw item ids.
        protocol: what was trained on: version, split, data, seen filter.
        filter_seen: whether items of the history are left out of the ranking.
        audit: of the data set, where it was given.
        data: name of the data set, where it was given.
        facts: how the runs came about, by name: one value for each run.
        machine: on what: device, processor, threads, versions; {} where it is not known.
        measured: validation metrics of the best epoch, as training found them, for each run.
        reports: part -> what evaluation found, the mean over the seeds; where all runs have it.
        test_readings: how often the test part of any run was read, at most.
    """

    source: str
    config: RunConfig
    recipe: Mapping[str, Any]
    seeds: tuple[int, ...]
    parameters: int
    catalogue: int
    example: tuple[Any, ...]
    protocol: Mapping[str, Any]
    filter_seen: bool
    facts: Mapping[str, Sequence[Any]]
    machine: Mapping[str, Any]
    measured: Sequence[Mapping[str, float]]
    reports: Mapping[str, Report]
    test_readings: int
    audit: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""

    @property
    def is_refit(self) -> bool:
        """Whether the validation part was trained on too."""
        return bool(self.protocol.get(REFIT))


def read_card(folders: Sequence[str | Path], data: str | Path | None = None) -> Card:
    """The card of runs that are on disk.

    Args:
        folders: made by `seqrec train` or `seqrec compare`, or an artifact of `Run.save`; several
            are seeds of one recipe.
        data: the prepared data set, which adds its name and its sizes.

    Raises:
        ConfigError: if runs differ in more than the seed.
        DataError: if the data set is not the one of the runs.
        CheckpointError: if a run is damaged or not there.
    """
    folders = [Path(folder) for folder in folders]
    place = None if data is None else Path(data)
    runs = [load(folder, device="cpu") for folder in folders]
    first = runs[0]
    for (one, at), (other, beside) in combinations(zip(runs, folders, strict=True), 2):
        _check_same_recipe(one, other, f"{at} and {beside}")
    dataset = None if place is None else _dataset(place, first)
    reports = {part: _report(runs, part) for part in ("valid", "test")}
    return Card(
        source=str(folders[0]),
        config=first.config,
        recipe=recipe_of(_recipe(first)),
        seeds=tuple(run.config.training.seed for run in runs),
        parameters=sum(weights.numel() for weights in first.model.parameters()),
        catalogue=len(first.item_ids),
        example=tuple(first.item_ids.decode(np.arange(min(3, len(first.item_ids)))).tolist()),
        protocol=first.protocol,
        filter_seen=first.filter_seen,
        facts=_common_facts([run.facts for run in runs]),
        machine=_machine(folders[0]),
        measured=[_measured(run) for run in runs],
        reports={part: report for part, report in reports.items() if report is not None},
        test_readings=max(run.test_readings for run in runs),
        audit={} if dataset is None else dataset.audit,
        data="" if place is None else place.resolve().name,
    )


def _common_facts(facts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What is known of each run: a copy of the best weights alone does not say how it ended."""
    return {
        name: [of_run[name] for of_run in facts]
        for name in facts[0]
        if all(name in of_run for of_run in facts)
    }


def _check_same_recipe(first: Run, other: Run, names: str) -> None:
    wrong = configs.differences(configs.as_json(_common(first)), _common(other))
    if wrong:
        raise ConfigError(f"{names} are not seeds of one recipe: {'; '.join(wrong)}")
    if first.config.training.seed == other.config.training.seed:
        raise ConfigError(f"{names} have one seed, {first.config.training.seed}: give one of them")


def _common(run: Run) -> dict[str, Any]:
    """What seeds of one recipe have in common."""
    options = _recipe(run).identity()
    training = {name: value for name, value in options["training"].items() if name != "seed"}
    return {**options, "training": training, "protocol": dict(run.protocol)}


def _recipe(run: Run) -> RunConfig:
    """The config as it was asked for: a refit's stop is what its own seed's validation chose."""
    if not run.is_refit:
        return run.config
    training = dataclasses.replace(run.config.training, max_steps=None)
    return dataclasses.replace(run.config, training=training)


def _dataset(data: Path, run: Run) -> Dataset:
    dataset = Dataset.load(data)
    if dataset.fingerprint != run.protocol["data"]:
        raise DataError(
            f"{data} is data {dataset.fingerprint[:12]}, and the model was trained on "
            f"{run.protocol['data'][:12]}: a card names the data that it belongs to"
        )
    return dataset


def _machine(folder: Path) -> dict[str, Any]:
    """What training noted about the machine; a saved artifact has no such note."""
    last = folder / LAST
    return load_document(last, "environment") if exists(last) else {}


def _measured(run: Run) -> Mapping[str, float]:
    ended = run.training
    if ended is None:
        return {}
    for evaluation in ended.history:
        if evaluation.step == ended.best_step:
            return evaluation.metrics
    return {} if ended.best_value is None else {run.config.training.monitor: ended.best_value}


def _report(runs: Sequence[Run], part: str) -> Report | None:
    found = [_report_of(run, part) for run in runs]
    known = [report for report in found if report is not None]
    return mean_report(known) if len(known) == len(runs) else None


def _report_of(run: Run, part: str) -> Report | None:
    """What `seqrec evaluate` or `seqrec compare` found for the weights that the run has now."""
    if run.folder is None:
        return None
    report = run.last_report(part)
    if report is not None:
        return report
    found = load_report(results_place(run.folder, part))
    if found is None:
        return None
    compared, identity = found
    same = ("steps", "best_step", "seed")
    is_ours = all(compared.training.get(name) == run.facts.get(name) for name in same)
    return compared if is_ours and _is_identity_of(run, identity) else None


def _is_identity_of(run: Run, identity: Mapping[str, Any]) -> bool:
    """Whether a comparison noted this beside results of the run, and not of another one there."""
    split = {k: v for k, v in run.protocol.items() if k not in ("filter_seen", REFIT)}
    wrong = configs.differences(identity, cell_identity(run.config, split, is_refit=run.is_refit))
    # A refit has the steps that its cell chose; how many there were is compared by itself.
    length = ("config.training.max_steps ", "config.training.patience ")
    return all(run.is_refit and difference.startswith(length) for difference in wrong)
