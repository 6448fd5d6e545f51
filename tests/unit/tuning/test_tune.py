"""What a search tries, gives up, keeps and writes; its runs are made up, but for the last tests."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import tomllib

import pytest
import torch

import tiny_data
from seqrec import config
from seqrec.errors import (
    ConfigError,
    DivergenceError,
    InterruptedRunError,
)
from seqrec.experiment import fit_layers, load, resolve
from seqrec.tuning import read_search, tune
from seqrec.tuning.render import render
from unit.tuning.toy_search import LAYERS, LOOP, SPACE, ToyRuns, toy_search


def values(found):
    return [trial.values for trial in found.trials]


def test_first_trial_has_the_values_that_the_search_starts_from(search):
    runs = ToyRuns([0.1])
    (first,) = search(runs).trials
    base = resolve(LAYERS)[0]
    assert first.values == {
        "training.lr": base.training.lr, "lstm.num_layers": 1, "lstm.hidden_size": 8,
    }  # fmt: skip


def test_values_that_no_trial_can_have_are_said(search):
    lines = []
    layers = {**LAYERS, "more": {"lstm": {"hidden_size": 16}}}
    search(ToyRuns([0.1]), layers=layers, say=lines.append)
    assert lines[0] == "lstm.hidden_size = 16 is outside the space: no trial has it"


def test_trials_stay_in_the_space(search):
    for trial in search(ToyRuns(*[[0.1]] * 20)).trials:
        assert 1e-4 <= trial.values["training.lr"] <= 1e-1
        assert trial.values["lstm.num_layers"] in (1, 2, 3)
        assert trial.values["lstm.hidden_size"] in (4, 8)


def test_runs_get_the_values_that_the_record_says(search):
    runs = ToyRuns(*[[0.1]] * 4)
    for trial, asked in zip(search(runs).trials, runs.asked, strict=True):
        assert asked["training"]["lr"] == trial.values["training.lr"]
        assert trial.config["training"]["lr"] == trial.values["training.lr"]


def test_real_values_have_four_digits(search):
    for trial in search(ToyRuns(*[[0.1]] * 6)).trials:
        lr = trial.values["training.lr"]
        assert lr == float(f"{lr:.4g}")


def test_a_run_of_the_search_has_the_seed_of_its_layers(search):
    runs = ToyRuns(*[[0.1]] * 3)
    found = search(runs, layers={**LAYERS, "seed": {"training": {"seed": 7}}})
    assert [trial.config["training"]["seed"] for trial in found.trials] == [7, 7, 7]


def test_same_seed_proposes_the_same(monkeypatch, split, tmp_path):
    curves = [[0.1 * i] for i in range(13)]
    found = [
        values(toy_search(monkeypatch, split, tmp_path / name, ToyRuns(*curves), seed=seed))
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert found[0] == found[1] != found[2]


def test_search_that_goes_on_proposes_what_the_unbroken_one_does(monkeypatch, split, tmp_path):
    curves = [[0.1 * i] for i in range(13)]
    unbroken = toy_search(monkeypatch, split, tmp_path / "unbroken", ToyRuns(*curves))
    toy_search(monkeypatch, split, tmp_path / "broken", ToyRuns(*curves[:11]))
    runs = ToyRuns(*curves[11:])
    broken = toy_search(monkeypatch, split, tmp_path / "broken", runs, trials=13)
    assert len(runs.asked) == 2
    assert values(broken) == values(unbroken)


def test_best_is_the_largest_value_of_any_epoch(search):
    best = search(ToyRuns([0.3], [0.1, 0.5, 0.2], [0.4]), prune_after=9).best
    assert best is not None
    assert best.number == 1
    found = best.best("ndcg@10")
    assert found is not None
    assert found.epoch == 2


def test_a_loss_is_made_small(monkeypatch, split, tmp_path):
    layers = {**LAYERS, "more": {"task": "relevance", "training": {"monitor": "logloss"}}}

    class Losses(ToyRuns):
        def __call__(self, layers, split, *, folder, resume, watch):
            def renamed(e):
                watch(dataclasses.replace(e, metrics={"logloss": e.metrics["ndcg@10"]}))

            return super().__call__(layers, split, folder=folder, resume=resume, watch=renamed)

    runs = Losses([0.5], [0.3, 0.4], [0.6])
    found = toy_search(monkeypatch, split, tmp_path / "s", runs, layers=layers, prune_after=9)
    assert found.best is not None
    assert found.best.number == 1


def test_trial_behind_the_median_is_given_up_and_says_so(search):
    lines = []
    runs = ToyRuns([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.1, 0.2, 0.9], [0.6, 0.6, 0.6])
    found = search(runs, prune_after=2, budget={"training": {"epochs": 3}}, say=lines.append)
    third = found.trials[2]
    assert (third.status, len(third.curve)) == ("pruned", 2)
    assert "behind the median at epoch 2" in third.note
    assert "pruned" in lines[2]
    assert found.trials[3].status == "completed"


def test_no_trial_is_given_up_after_its_last_epoch(search):
    runs = ToyRuns([0.5, 0.5], [0.5, 0.5], [0.1, 0.1])
    found = search(runs, prune_after=2, budget={"training": {"epochs": 2}})
    assert [trial.status for trial in found.trials] == ["completed"] * 3


def test_no_trial_is_given_up_after_its_last_step(search):
    runs = ToyRuns([0.5, 0.5], [0.5, 0.5], [0.1, 0.1])
    budget = {"training": {"epochs": 9, "max_steps": 20}}  # toy epochs have ten steps
    found = search(runs, prune_after=2, budget=budget)
    assert [trial.status for trial in found.trials] == ["completed"] * 3


def test_the_best_trial_so_far_is_said(search):
    lines = []
    search(ToyRuns([0.1], [0.3], [0.2]), say=lines.append)
    assert [line.endswith(", the best so far") for line in lines] == [True, True, False]


def test_nothing_is_given_up_before_enough_trials_have_ended(search):
    runs = ToyRuns([0.5, 0.5], [0.1, 0.1], [0.1, 0.1])
    found = search(runs, prune_after=3, budget={"training": {"epochs": 3}})
    assert [trial.status for trial in found.trials] == ["completed"] * 3


def test_weights_of_the_best_trial_alone_are_kept(search):
    found = search(ToyRuns([0.3], [0.5], [0.4]))
    kept = [found.run_of(trial).exists() for trial in found.trials]
    assert kept == [False, True, False]


def test_every_trial_leaves_its_config_and_curve(search, tmp_path):
    search(ToyRuns([0.3, 0.4], [0.1]))
    record = json.loads((tmp_path / "search" / "trials" / "0000" / "trial.json").read_text())
    assert [entry["metrics"]["ndcg@10"] for entry in record["curve"]] == [0.3, 0.4]
    assert record["config"]["lstm"]["hidden_size"] == 8


def test_best_recipe_has_the_values_of_the_best_and_the_length_of_the_recipe(search):
    layers = {**LAYERS, "recipe's length": {"training": {"epochs": 30}}}
    budget = {"training": {"epochs": 2}}
    runs = ToyRuns([0.3], [0.5])
    found = search(runs, layers=layers, budget=budget)
    assert found.best is not None
    assert [asked["training"]["epochs"] for asked in runs.asked] == [2, 2]
    recipe = config.read_toml(found.recipe)
    assert recipe["training"]["epochs"] == 30
    assert recipe["training"]["lr"] == found.best.values["training.lr"]
    wanted = resolve({**layers, "best": {"training": {"lr": found.best.values["training.lr"]},
                      "lstm": {k.partition(".")[2]: v for k, v in found.best.values.items()
                               if k.startswith("lstm.")}}})[0]  # fmt: skip
    assert resolve({"recipe": recipe})[0] == wanted


def test_best_recipe_has_the_precision_that_the_machine_chose(search, monkeypatch):
    monkeypatch.setattr("seqrec.experiment.defaults.has_bf16", lambda _: True)
    table = {k: v for k, v in LAYERS["recipe"]["training"].items() if k != "precision"}
    found = search(ToyRuns([0.3]), layers={"recipe": {**LAYERS["recipe"], "training": table}})
    assert config.read_toml(found.recipe)["training"]["precision"] == "bf16"


def test_best_recipe_says_how_it_was_found(search, split):
    found = search(ToyRuns([0.3], [0.25, 0.5]), budget={"training": {"epochs": 2}})
    comment = [line for line in found.recipe.read_text().splitlines() if line.startswith("#")]
    text = "\n".join(comment)
    for said in ("trial 1 of 2", "ndcg@10 0.5000", "epoch 2", split.dataset.fingerprint,
                 "training.epochs = 2"):  # fmt: skip
        assert said in text


def test_trial_that_diverges_says_so_and_the_search_goes_on(search):
    found = search(ToyRuns([DivergenceError("loss is NaN at step 3")], [0.2]))
    assert [trial.status for trial in found.trials] == ["diverged", "completed"]
    assert "step 3" in found.trials[0].note


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no more"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError("Unable to allocate 3. TiB"),
    ],
)
def test_trial_without_memory_says_so_and_the_search_goes_on(search, error):
    found = search(ToyRuns([error], [0.2]))
    assert [trial.status for trial in found.trials] == ["out of memory", "completed"]
    assert found.trials[0].note.startswith(str(error))


def test_a_defect_ends_the_search(search):
    with pytest.raises(RuntimeError, match="shapes"):
        search(ToyRuns([RuntimeError("shapes do not fit")]))


def test_values_that_do_not_go_together_are_refused_one_trial_at_a_time(search):
    layers = {"recipe": {"model": "bert4rec", "task": "next_item", **tiny_data.tiny("bert4rec")}}
    space = {"bert4rec": {"hidden_size": {"choices": [12, 8]}, "num_heads": {"choices": [2, 3]}}}
    layers = {**layers, "wide": {"bert4rec": {"hidden_size": 12}}}
    found = search(ToyRuns(*[[0.1]] * 12), layers=layers, space=space)
    refused = [trial for trial in found.trials if trial.status == "refused"]
    assert all("num_heads" in trial.note for trial in refused)
    combined = {tuple(trial.values.values()) for trial in refused}
    assert combined == {(8, 3)}


def test_metric_that_is_never_a_number_is_no_best(search):
    found = search(ToyRuns([math.nan, math.nan]))
    assert found.best is None
    assert not found.recipe.exists()


def test_interrupted_trial_is_the_next_one_to_go_on(search):
    with pytest.raises(InterruptedRunError, match="SIGTERM in trial 1"):
        search(ToyRuns([0.3], [0.2, InterruptedRunError("stop", signal_number=15)]))
    runs = ToyRuns([0.2, 0.4])
    found = search(runs, trials=2)
    assert [trial.status for trial in found.trials] == ["completed", "completed"]
    assert [e.metrics["ndcg@10"] for e in found.trials[1].curve] == [0.2, 0.4]


def test_trial_of_a_killed_process_that_had_ended_is_not_run_again(monkeypatch, search):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seqrec.tuning.study.Claim.tell", killed)
        with pytest.raises(KeyboardInterrupt):
            search(ToyRuns([0.3]))
    runs = ToyRuns([0.4])
    found = search(runs, trials=2)
    assert len(runs.asked) == 1
    assert [trial.best("ndcg@10").metrics["ndcg@10"] for trial in found.trials] == [0.3, 0.4]


def test_recipe_that_a_killed_process_had_not_written_is_written_by_the_next(monkeypatch, search):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LOOP, "write_recipe", killed)
        with pytest.raises(KeyboardInterrupt):
            search(ToyRuns([0.3]))
    found = search(ToyRuns(), trials=1)
    assert [trial.status for trial in found.trials] == ["completed"]
    assert "trial 0 of 1" in found.recipe.read_text()


def test_trial_that_another_process_runs_is_left_to_it(monkeypatch, split, search):
    inner = ToyRuns([0.2])

    class Nested(ToyRuns):
        """While it runs, another process takes what is left of the same search."""

        def __call__(self, *arguments, **options):
            monkeypatch.setattr(LOOP, "fit_layers", inner)
            folder = options["folder"].parents[2]
            found = tune(split, layers=LAYERS, space=SPACE, folder=folder, trials=2)
            assert [trial.status for trial in found.trials] == ["running", "completed"]
            return super().__call__(*arguments, **options)

    found = search(Nested([0.3]), trials=2)
    assert len(inner.asked) == 1
    assert [trial.status for trial in found.trials] == ["completed", "completed"]


def test_no_trial_begins_after_the_time(search):
    assert search(ToyRuns([0.3]), max_minutes=0.0).trials == ()


@pytest.mark.parametrize("minutes", [-1.0, math.nan])
def test_a_time_that_is_none_is_named(search, minutes):
    with pytest.raises(ConfigError, match=r"`max_minutes` is .*: it must be at least 0"):
        search(ToyRuns([0.3]), max_minutes=minutes)


def test_missing_optuna_is_named_and_leaves_nothing(monkeypatch, search, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqrec\[tune\]'"):
        search(ToyRuns([0.3]))
    assert list(tmp_path.iterdir()) == []


def test_table_has_the_best_trials_first(search):
    found = search(ToyRuns([0.3], [0.5], [0.4]))
    rows = render(found, "text").splitlines()[2:5]
    assert [row.split()[0] for row in rows] == ["1", "2", "0"]
    assert render(found, "markdown").startswith("| trial")
    assert [t["number"] for t in json.loads(render(found, "json"))["trials"]] == [1, 2, 0]


# --- with real runs ------------------------------------------------------------------------------

BUDGET = {"training": {"epochs": 2}}


def real(split, folder, **options):
    options = {"layers": LAYERS, "space": SPACE, "budget": BUDGET, "prune_after": 9, **options}
    return tune(split, folder=folder, **options)


def curves(found):
    return [[(e.step, e.metrics) for e in trial.curve] for trial in found.trials]


@pytest.fixture(scope="module")
def unbroken(split, tmp_path_factory):
    """A search of three real runs on a split without a test part."""
    return real(dataclasses.replace(split, test=None), tmp_path_factory.mktemp("s"), trials=3)


def test_test_part_is_not_looked_at(unbroken):
    assert [trial.status for trial in unbroken.trials] == ["completed"] * 3


def test_kept_run_has_the_value_of_the_best(unbroken, split):
    assert unbroken.best is not None
    run = load(unbroken.run_of(unbroken.best), dataset=split.dataset)
    found = unbroken.best.best("ndcg@10")
    assert run.evaluate().metrics["ndcg@10"].value == pytest.approx(found.metrics["ndcg@10"])


def test_search_that_was_interrupted_finds_what_the_unbroken_one_does(
    monkeypatch, split, tmp_path, unbroken
):
    def stopped(layers, split, *, watch, **options):
        def stop(evaluation):
            watch(evaluation)
            if options["folder"].parent.name == "0001":
                raise InterruptedRunError("stop", signal_number=2)

        return fit_layers(layers, split, watch=stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LOOP, "fit_layers", stopped)
        with pytest.raises(InterruptedRunError, match="SIGINT in trial 1"):
            real(split, tmp_path / "s", trials=3)
    assert [len(trial.curve) for trial in read_search(tmp_path / "s").trials] == [2, 1]
    found = real(split, tmp_path / "s", trials=3)
    assert curves(found) == curves(unbroken)


def test_best_recipe_trains(unbroken, split):
    recipe = tomllib.loads(unbroken.recipe.read_text())
    assert fit_layers({"recipe": recipe}, split).training.finished
