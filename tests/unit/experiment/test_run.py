"""A run: how it ended, who read its test part, and what its folder gives back."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import seqrec as sr
import tiny_data
from seqrec.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    OutOfMemoryError,
    ResourceError,
)
from seqrec.evaluation import table
from seqrec.folder import Kind, whole_folder
from seqrec.training import load_artifact, save_artifact


@pytest.fixture(scope="module")
def finished(split, tmp_path_factory):
    """A finished run in a folder; nobody writes to it."""
    folder = tmp_path_factory.mktemp("run") / "finished"
    return sr.fit("lstm", split, config=tiny_data.tiny("lstm"), folder=folder)


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of the same run, to write to."""
    return shutil.copytree(finished.folder, tmp_path / "run")


def limited(model="lstm", **training):
    return tiny_data.tiny(model, training={"max_minutes": 1e-9, **training})


def test_a_loaded_run_knows_how_it_ended(finished):
    loaded = sr.load(finished.folder)
    assert loaded.training == finished.training
    assert loaded.training.status == "completed"


def test_a_report_says_how_the_system_was_trained(finished):
    training = finished.evaluate().training
    assert (training["status"], training["steps"]) == ("completed", finished.training.steps)
    assert (training["precision"], training["seed"]) == ("fp32", 0)
    assert training["targets"] > 0
    assert training["w1"] == pytest.approx(finished.model.state_weight.item(), abs=1e-4)


def test_the_precision_of_training_is_recorded(split):
    config = tiny_data.tiny("lstm", training={"precision": "bf16"})
    report = sr.fit("lstm", split, config=config).evaluate()
    assert report.training["precision"] == "bf16"
    assert "precision: bf16" in report.to_text()


def test_scores_are_float32_whatever_the_caller_computes_in(finished, split):
    users = split.valid.users
    exact = finished.scorer(split.valid.inputs, users)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = finished.scorer(split.valid.inputs, users)
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(inside, exact)


def test_a_finished_run_has_no_caveat(finished):
    assert finished.evaluate().label == "lstm"


@pytest.mark.parametrize("loaded", [False, True])
def test_a_time_limited_run_says_so_wherever_it_is_shown(split, tmp_path, loaded):
    run = sr.fit("lstm", split, config=limited(), folder=tmp_path / "run")
    if loaded:
        run = sr.load(tmp_path / "run", dataset=split.dataset)
    report = run.evaluate()
    assert report.label == "lstm (time-limited)"
    for shown in (report.to_text(), report.to_markdown(), table([report]), report.to_json()):
        assert "time-limited" in shown


def test_a_saved_model_keeps_how_it_was_trained(split, tmp_path):
    sr.fit("lstm", split, config=limited()).save(tmp_path / "model")
    loaded = sr.load(tmp_path / "model", dataset=split.dataset)
    assert loaded.evaluate().label == "lstm (time-limited)"


def test_the_best_weights_alone_are_those_of_an_unfinished_run(split, copied, tmp_path):
    shutil.copytree(copied / "best", tmp_path / "best-alone")
    loaded = sr.load(tmp_path / "best-alone", dataset=split.dataset)
    assert loaded.evaluate().label == "lstm (unfinished)"


def test_loading_draws_nothing(finished):
    before = torch.get_rng_state()
    loaded = sr.load(finished.folder)
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in finished.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)


def test_a_name_is_no_data_set(finished):
    with pytest.raises(ConfigError, match=r"`dataset` is 'a str': .*Dataset\.load\(folder\)"):
        sr.load(finished.folder, dataset="data")


def test_a_model_loaded_without_data_can_be_saved_again(finished, tmp_path):
    finished.save(tmp_path / "a")
    sr.load(tmp_path / "a").save(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_saved_model_is_replaced_only_when_told(finished, tmp_path):
    finished.save(tmp_path / "a")
    with pytest.raises(ResourceError, match=r"exists already.*overwrite=True"):
        finished.save(tmp_path / "a")
    finished.save(tmp_path / "a", overwrite=True)


def test_resuming_a_finished_run_changes_nothing(split, finished, copied):
    again = sr.fit("lstm", split, config=tiny_data.tiny("lstm"), folder=copied, resume=True)
    assert again.training == finished.training
    for name, tensor in finished.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor)


def test_resuming_computes_no_vectors_to_start_at(split, tmp_path, monkeypatch):
    config = tiny_data.tiny("lstm", start={"item_vectors": "svd"})
    sr.fit("lstm", split, config=config, folder=tmp_path)
    monkeypatch.delattr(sys.modules["seqrec.experiment.fit"], "item_vectors")
    again = sr.fit("lstm", split, config=config, folder=tmp_path, resume=True)
    assert again.status == "completed"


def test_resuming_with_another_option_names_it(split, copied):
    config = tiny_data.tiny("lstm", lstm={"dropout": 0.6})
    with pytest.raises(CheckpointError, match=r"another run: lstm\.dropout was 0\.5 and is 0\.6"):
        sr.fit("lstm", split, config=config, folder=copied, resume=True)


def test_resuming_on_another_cut_of_time_names_it(split, tmp_path):
    times = split.dataset.times
    cuts = [(int(q * times.max()), int(1.001 * q * times.max())) for q in (0.985, 0.986)]
    first, second = (split.dataset.split("global_time", cut) for cut in cuts)
    config = tiny_data.tiny("lstm")
    sr.fit("lstm", first, config=config, folder=tmp_path)
    with pytest.raises(CheckpointError, match="cuts was"):
        sr.fit("lstm", second, config=config, folder=tmp_path, resume=True)


def test_a_run_is_not_trained_over_unless_told(split, copied):
    config = tiny_data.tiny("lstm", training={"seed": 3})
    with pytest.raises(ResourceError, match="holds a run already"):
        sr.fit("lstm", split, config=config, folder=copied)
    run = sr.fit("lstm", split, config=config, folder=copied, overwrite=True)
    assert run.config.training.seed == sr.load(copied).config.training.seed == 3


def test_a_folder_that_is_held_is_refused_before_the_first_weights(split, copied, monkeypatch):
    wiring = import_module("seqrec.experiment.fit")
    monkeypatch.setattr(wiring, "build_model", lambda *_, **__: pytest.fail("built"))
    with pytest.raises(ResourceError, match="holds a run already"):
        sr.fit("lstm", split, config=tiny_data.tiny("lstm"), folder=copied)


def test_a_folder_by_whose_name_no_weights_are_read_is_refused_before_training(split, tmp_path):
    folder = tmp_path / "run\udcff"
    with pytest.raises(ResourceError, match="is no valid UTF-8"):
        sr.fit("lstm", split, config=tiny_data.tiny("lstm"), folder=folder)
    assert not folder.exists()


def test_a_model_is_not_saved_by_such_a_name_either(finished, tmp_path):
    with pytest.raises(ResourceError, match="is no valid UTF-8"):
        finished.save(tmp_path / "model\udcff")
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_numbers_in_any_place(split):
    given = {"hidden_size": np.int64(4), "dropout": np.float32(0.25)}
    config = tiny_data.tiny("lstm", lstm=given, training={"betas": [np.float64(0.5), 0.9]})
    run = sr.fit("lstm", split, config=config, epochs=np.int32(0))
    assert (run.config.lstm.hidden_size, run.config.training.betas) == (4, (0.5, 0.9))


def test_memory_that_runs_out_is_an_error_of_ours(split):
    config = tiny_data.tiny("lstm", lstm={"hidden_size": 2**40})
    with pytest.raises(OutOfMemoryError, match=r"out of memory: .*; ask for less"):
        sr.fit("lstm", split, config=config)


def test_resuming_needs_a_folder(split):
    with pytest.raises(ConfigError, match="need the folder of a run"):
        sr.fit("lstm", split, config=tiny_data.tiny("lstm"), resume=True)


def test_a_list_longer_than_the_catalogue_is_refused_before_training(split, tmp_path):
    config = tiny_data.tiny("lstm", evaluation={"k": split.dataset.n_items + 1})
    with pytest.raises(ConfigError, match=r"`evaluation\.k` is \d+: it must be at most the"):
        sr.fit("lstm", split, config=config, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_relevance_without_a_positive_to_validate_on_is_refused_before_training(tmp_path):
    users, own = range(5), [1, 1, 1, 1, 2]
    rows = [(u, item + u * (item > 1), t) for u in users for t, item in enumerate(own[::-1])]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    repeated = sr.Interactions.from_frame(log).prepare().split()
    with pytest.raises(DataError, match="every target of the part `valid` is in its user's input"):
        sr.fit(
            "lstm", repeated, task="relevance", config=tiny_data.tiny("lstm"),
            folder=tmp_path / "run",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_a_recipe_may_say_the_task(split, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('task = "relevance"\n')
    run = sr.fit("lstm", split, config=tiny_data.tiny("lstm"), recipe=recipe)
    assert run.config.task == "relevance"
    with pytest.raises(ConfigError, match="a TOML file; a table of options is `config`"):
        sr.fit("lstm", split, recipe={"training": {"epochs": 1}})


def test_every_reading_of_the_test_part_is_in_the_ledger(split, copied):
    run = sr.load(copied, dataset=split.dataset)
    assert run.evaluate("valid").counts["test_readings"] == 0
    run.evaluate("test")
    run.results("test")
    again = sr.load(copied, dataset=split.dataset)
    assert again.evaluate("valid").counts["test_readings"] == 2


def test_readings_without_a_folder_are_counted_in_memory(split):
    run = sr.fit("lstm", split, config=tiny_data.tiny("lstm"))
    assert [run.evaluate(part).counts["test_readings"] for part in ("test", "valid", "test")] == [
        1, 1, 2,
    ]  # fmt: skip


def test_a_saved_model_remembers_how_often_the_test_part_was_read(split, tmp_path):
    run = sr.fit("lstm", split, config=tiny_data.tiny("lstm"))
    run.evaluate("test")
    run.save(tmp_path / "model")
    again = sr.load(tmp_path / "model", dataset=split.dataset)
    assert again.test_readings == 1
    assert again.evaluate("test").counts["test_readings"] == 2


def test_the_ledger_outlives_an_overwritten_run(split, copied):
    sr.load(copied, dataset=split.dataset).evaluate("test")
    config = tiny_data.tiny("lstm", training={"seed": 3})
    run = sr.fit("lstm", split, config=config, folder=copied, overwrite=True)
    assert run.test_readings == 1


def test_a_config_of_another_version_is_a_checkpoint_error(copied):
    saved = load_artifact(copied / "best")
    options = {**saved.documents["config"]["options"], "novelty": {}}
    documents = {**saved.documents, "config": {"options": options, "origins": {}}}
    save_artifact(copied / "best", saved.tensors, documents)
    with pytest.raises(CheckpointError, match="unknown option `novelty`"):
        sr.load(copied)


def test_a_folder_of_another_kind_is_no_run(tmp_path):
    thing = Kind(format="thing", version=1, suffixes=(".txt",), unreadable=DataError)
    with whole_folder(tmp_path / "thing", thing) as new:
        (new / "a.txt").write_text("x")
    with pytest.raises(CheckpointError, match="holds 'thing', not 'seqrec-artifact'"):
        sr.load(tmp_path / "thing")


def test_a_part_that_does_not_exist_is_named(finished):
    with pytest.raises(ConfigError, match="`part` is 'train'"):
        finished.evaluate("train")


@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_the_rules_of_the_config_reach_the_report(split, task):
    config = tiny_data.tiny("lstm", evaluation={"resamples": 7, "batch_size": 5})
    assert sr.fit("lstm", split, task=task, config=config).evaluate().protocol["resamples"] == 7


def test_a_user_with_no_negative_left_is_named_by_raw_id():
    rows = [(user, item) for user in (10, 11) for item in (1, 2, 3, 4)]
    rows += [(99, item) for item in (1, 2, 3, 4, 1, 1)]  # two more, so that all four train
    frame = pa.table(dict(zip(("user_id", "item_id"), zip(*rows, strict=True), strict=True)))
    split = sr.Interactions.from_frame(frame).split()
    with pytest.raises(DataError, match="user 99 has taken all 4 items"):
        sr.fit("lstm", split, task="relevance", config=tiny_data.tiny("lstm"))
