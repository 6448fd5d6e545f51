"""A refit: the steps that validation chose, on all that is older than the test."""

from __future__ import annotations

import json
import shutil
from importlib import import_module

import pytest

import seqrec as sr
import tiny_data
from seqrec.data import Interactions
from seqrec.errors import CheckpointError, ConfigError, DataError
from seqrec.simulation import preset, simulate

OPTIONS = tiny_data.tiny("lstm", training={"epochs": 3, "lr": 1e-2})


@pytest.fixture(scope="module")
def chosen(split, tmp_path_factory):
    return sr.fit("lstm", split, config=OPTIONS, folder=tmp_path_factory.mktemp("run") / "chosen")


@pytest.fixture(scope="module")
def again(chosen, tmp_path_factory):
    return sr.refit(chosen, folder=tmp_path_factory.mktemp("run") / "again")


def test_it_takes_the_steps_that_validation_chose(chosen, again):
    assert again.training.steps == chosen.training.best_step
    assert again.config.training.seed == chosen.config.training.seed
    assert again.status == "completed"


def test_its_learning_rates_are_those_of_the_run(tmp_path, split):
    # A row for each target: those of validation make the epochs of a refit longer.
    short = {"epochs": 2, "log_every": 1, "batch_size": 8}
    config = tiny_data.tiny("bert4rec", training=short)
    run = sr.fit("bert4rec", split, task="relevance", config=config, folder=tmp_path / "run")
    sr.refit(run, folder=tmp_path / "refit")
    rates = []
    for name in ("run", "refit"):
        lines = map(json.loads, (tmp_path / name / "log.jsonl").read_text().splitlines())
        rates.append([line["lr"] for line in lines if line["kind"] == "train"])
    assert len(rates[1]) == run.training.best_step
    assert rates[1] == rates[0][: len(rates[1])]


def test_it_has_no_time_limit(split):
    # Of two machines, or with other work beside it, the refit may be the slower one.
    limited = tiny_data.tiny("lstm", training={"epochs": 1, "max_minutes": 5.0})
    run = sr.fit("lstm", split, config=limited)
    assert run.config.training.max_minutes == 5.0
    assert sr.refit(run).config.training.max_minutes is None


@pytest.mark.parametrize("cut", ["leave_one_out", "global_time"])
def test_its_training_part_ends_with_the_validation_targets(cut):
    dataset = tiny_data.tiny_split().dataset
    split = dataset.split(cut)
    larger = split.with_validation()
    assert larger.valid is split.valid
    assert larger.test is split.test
    assert larger.filter_seen == split.filter_seen
    last = larger.train.items[larger.train.stops - 1]
    assert (last[split.valid.users] == split.valid.targets).all()
    assert (larger.train.stops > split.train.stops)[split.valid.users].all()
    assert larger.item_counts.sum() == larger.train.n_events
    if cut == "leave_one_out":
        assert larger.train.n_events == split.train.n_events + len(split.valid.users)
    else:
        assert larger.train.n_events == (dataset.times < split.cuts[1]).sum()
        assert (dataset.times[larger.train.places()[1]] < split.cuts[1]).all()


@pytest.mark.parametrize("reader", ["item_vectors", "NextItemRows"])
def test_batches_and_statistics_are_those_of_the_larger_part(split, reader, monkeypatch):
    fitting = import_module("seqrec.experiment.fit")
    original, seen = getattr(fitting, reader), []

    def noted(sequences, *args, **options):
        seen.append(sequences.n_events)
        return original(sequences, *args, **options)

    monkeypatch.setattr(fitting, reader, noted)
    options = tiny_data.tiny("lstm", start={"item_vectors": "svd"})
    run = sr.fit("lstm", split, config=options)
    seen.clear()
    sr.refit(run)
    assert seen[0] == split.train.n_events + len(split.valid.users)


def test_it_is_judged_on_the_test_part_alone(chosen, again):
    with pytest.raises(DataError, match="trained on the validation part: judge it on `test`"):
        again.evaluate("valid")
    report = again.evaluate("test")
    assert "refit: on" in report.to_text()
    assert "refit" not in chosen.evaluate("test").to_text()


def test_a_target_that_validation_has_is_not_cold_to_a_refit():
    log = simulate(preset("demo", users=30, items=120, mean_length=6, seed=1))
    split = Interactions.from_frame(log.to_pandas()).prepare().split("leave_one_out")
    run = sr.fit("lstm", split, config=tiny_data.tiny("lstm"))
    flags = [one.results("test").cold for one in (run, sr.refit(run))]
    for found, part in zip(flags, (split, split.with_validation()), strict=True):
        assert (found == (part.item_counts[split.test.targets - 1] == 0)).all()
    assert flags[0].sum() > flags[1].sum() > 0


def test_it_is_judged_on_the_same_pairs(split):
    options = tiny_data.tiny("lstm", negatives={"neg_sampling": "popularity"})
    run = sr.fit("lstm", split, task="relevance", config=options)
    one, two = run.results("test"), sr.refit(run).results("test")
    assert (one.users == two.users).all()
    assert one.protocol == two.protocol


def test_a_loaded_refit_knows_that_it_is_one(again, split):
    loaded = sr.load(again.folder, dataset=split.dataset)
    assert loaded.is_refit
    with pytest.raises(ConfigError, match="the run is a refit"):
        sr.refit(loaded)


def test_it_can_be_resumed_but_not_as_another_run(chosen, again, split, tmp_path):
    folder = shutil.copytree(again.folder, tmp_path / "again")
    resumed = sr.refit(chosen, folder=folder, resume=True)
    assert resumed.training == again.training
    with pytest.raises(CheckpointError, match="refit"):
        sr.fit("lstm", split, config=OPTIONS, folder=folder, resume=True)


def test_it_needs_a_run_that_validation_has_ended(split):
    options = tiny_data.tiny("lstm", training={"max_minutes": 1e-9})
    with pytest.raises(ConfigError, match=r"\(time-limited\) has no number of steps"):
        sr.refit(sr.fit("lstm", split, config=options))


def test_it_needs_the_data_set(chosen):
    with pytest.raises(DataError, match="loaded without its data set"):
        sr.refit(sr.load(chosen.folder))
