"""What a search proposes: from the start that it was given, and after a death while it did so."""

from __future__ import annotations

import shutil
import tomllib

import pytest

import tiny_data
from seqrec import config
from seqrec.experiment import resolve
from unit.tuning.toy_search import LAYERS, ToyRuns, toy_search

BERT4REC = {"recipe": {"model": "bert4rec", "task": "next_item", **tiny_data.tiny("bert4rec")}}
MASKED = {"cloze": {"mask_prob": {"low": 0.1, "high": 0.5}}}
WINDOWS = {"windows": {"windows": {"choices": ["random", "prefixes"]}}}


def test_the_first_trial_has_all_digits_of_what_it_starts_from(search):
    layers = {**LAYERS, "more": {"training": {"lr": 0.00123456}}}
    (first,) = search(ToyRuns([0.1]), layers=layers).trials
    assert first.values["training.lr"] == 0.00123456


@pytest.mark.parametrize("lines", range(14))
def test_a_search_that_died_while_it_proposed_goes_on_as_the_unbroken_one(
    lines, monkeypatch, split, tmp_path
):
    curves = [[0.1], [0.2], [0.3]]
    unbroken = toy_search(monkeypatch, split, tmp_path / "unbroken", ToyRuns(*curves))
    journal = (tmp_path / "unbroken/journal.jsonl").read_text().splitlines(keepends=True)
    broken = tmp_path / "broken"
    broken.mkdir()
    shutil.copy(tmp_path / "unbroken/study.json", broken)
    if lines >= 8:  # the first trial has its values
        shutil.copytree(tmp_path / "unbroken/trials/0000", broken / "trials/0000")
    (broken / "journal.jsonl").write_text("".join(journal[:lines]))
    found = toy_search(monkeypatch, split, broken, ToyRuns(*curves))
    assert [trial.values for trial in found.trials] == [trial.values for trial in unbroken.trials]


def test_a_cloze_that_is_searched_leaves_windows_and_widths_as_they_are(search, split):
    base = config.as_json(config.to_dict(resolve(BERT4REC, split)[0]))
    assert base["windows"]["windows"] == "prefixes"  # as the set is small
    found = search(ToyRuns([0.1], [0.2]), layers=BERT4REC, space=MASKED)
    first, second = (trial.config for trial in found.trials)
    assert first == base
    assert second == {**base, "cloze": {**base["cloze"], "mask_prob": second["cloze"]["mask_prob"]}}
    again = resolve({"best": tomllib.loads(found.recipe.read_text())}, split)[0]
    assert config.as_json(config.to_dict(again)) == second


@pytest.mark.parametrize("budget", [{}, {"training": {"epochs": 3}}])
def test_windows_that_are_searched_are_trained_for_the_same_epochs(search, split, budget):
    layers = {"recipe": {**BERT4REC["recipe"], "training": {"device": "cpu"}}}
    usual = resolve(layers, split)[0].training.epochs
    found = search(ToyRuns(*[[0.1]] * 8), layers=layers, space=WINDOWS, budget=budget)
    assert {trial.values["windows.windows"] for trial in found.trials} == {"random", "prefixes"}
    wanted = budget.get("training", {}).get("epochs", usual)
    assert {trial.config["training"]["epochs"] for trial in found.trials} == {wanted}
    assert tomllib.loads(found.recipe.read_text())["training"]["epochs"] == usual
