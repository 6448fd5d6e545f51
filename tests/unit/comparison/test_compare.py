"""Cells are trained once, judged by one set of rules, and never shown for more than they are."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

import tiny_data
from seqrec import config
from seqrec.comparison import QUESTIONS, compare, recipe_paths
from seqrec.comparison.cells import plan_cells
from seqrec.comparison.render import read_comparisons, render
from seqrec.comparison.study import study_tables
from seqrec.comparison.systems import Systems
from seqrec.errors import CheckpointError, ConfigError, DataError, InterruptedRunError
from seqrec.experiment import MODELS, Run, resolve

CELLS = {(m, q): tiny_data.MODELS[m] for m in tiny_data.MODELS for q in QUESTIONS}
RECIPES = Path(__file__).parents[3] / "recipes"
LAYERS = {"tiny": tiny_data.SHARED}


def compared(split, folder, layers=None, **options):
    layers = {**LAYERS, "test": layers or {}}
    options = {"models": ["lstm"], "tasks": ["next_item"], **options}
    return compare("toy", split, folder=folder, layers=layers, cells=CELLS, **options)


@pytest.fixture(scope="module")
def everything(split, tmp_path_factory):
    """All questions and both models, compared; nobody writes to the folder."""
    folder = tmp_path_factory.mktemp("cells")
    models = ["lstm", "bert4rec"]
    return compared(split, folder, models=models, tasks=list(QUESTIONS)), folder


@pytest.fixture
def folder(everything, tmp_path):
    """A folder whose cells are finished, to write to."""
    return shutil.copytree(everything[1], tmp_path / "cells")


def test_every_system_of_a_task_has_a_row(everything):
    systems = {c.task: [report.system for report in c.reports] for c in everything[0]}
    judged = ["popularity", "markov", "lstm", "bert4rec"]
    assert systems["relevance"] == systems["relevance-popularity"] == judged
    assert systems["next_item"] == [*judged[:2], "item-knn", "ease", *judged[2:]]


def test_models_are_paired_with_all_others_and_baselines_with_none(everything):
    pairs = list(everything[0][1].differences)
    assert pairs == [
        ("lstm", "popularity"), ("lstm", "markov"),
        ("bert4rec", "popularity"), ("bert4rec", "markov"), ("lstm", "bert4rec"),
    ]  # fmt: skip


def test_popularity_matched_relevance_is_a_table_of_its_own(everything):
    negatives = {
        c.task: {report.protocol["negatives"] for report in c.reports} for c in everything[0][1:]
    }
    assert negatives == {"relevance": {"uniform"}, "relevance-popularity": {"popularity"}}
    assert "toy, relevance, popularity-matched negatives" in render(everything[0], "text")


def test_finished_cells_are_neither_trained_nor_judged_again(split, everything, monkeypatch):
    def refuse(*_):
        raise AssertionError("a finished cell was judged again")

    monkeypatch.setattr(Run, "results", refuse)
    said = []
    again = compared(
        split, everything[1], models=["lstm", "bert4rec"], tasks=list(QUESTIONS), say=said.append
    )
    assert render(again, "json") == render(everything[0], "json")
    assert said == []


def test_a_refit_is_a_row_of_its_own_beside_the_run_that_chose_its_steps(split, folder):
    (found,) = compared(split, folder, tasks=["relevance"], refits=True)
    assert [r.system for r in found.reports][-2:] == ["lstm", "lstm, refit"]
    chosen, again = found.reports[-2:]
    assert again.training["refit"]
    assert again.training["steps"] == chosen.training["best_step"]
    assert ("lstm", "lstm, refit") in found.differences
    place = folder / "toy" / "relevance" / "lstm" / "seed-0"
    assert (place / "refit" / "best").is_dir()


def test_refits_are_judged_on_the_test_part_alone(split, tmp_path):
    with pytest.raises(ConfigError, match="'test' for refits"):
        compared(split, tmp_path, part="valid", refits=True)


@pytest.mark.parametrize("said", [{"max_minutes": 5}, {"epochs": 0}, {"max_steps": 0}])
def test_runs_that_may_choose_no_steps_are_not_planned_with_refits(split, tmp_path, said):
    (name,) = said
    place = r"lstm on relevance is refitted .* \(recipe of lstm on relevance\)"
    cells = {("lstm", "relevance"): {"training": said}}
    with pytest.raises(ConfigError, match=rf"`training\.{name}` is {said[name]}.* {place}"):
        compare("toy", split, folder=tmp_path, models=["lstm"], cells=cells, refits=True)
    assert list(tmp_path.iterdir()) == []


def test_results_of_another_config_are_never_shown(split, folder):
    with pytest.raises(CheckpointError, match=r"config\.lstm\.dropout was 0\.5 and is 0\.6"):
        compared(split, folder, {"lstm": {"dropout": 0.6}})


def test_results_on_other_data_are_never_shown(split, folder):
    with pytest.raises(CheckpointError, match=r"split\.catalogue was"):
        compared(split.dataset.small().split(), folder)


def test_where_a_cell_is_computed_is_free(split, everything):
    compared(split, everything[1], {"training": {"device": "auto", "log_every": 7}})


def test_a_cell_that_was_trained_and_not_judged_is_judged(split, folder):
    cell = folder / "toy" / "next_item" / "lstm" / "seed-0"
    shutil.rmtree(cell / "results-test")
    before = (cell / "log.jsonl").read_bytes()
    (again,) = compared(split, folder)
    assert (cell / "log.jsonl").read_bytes() == before
    assert again.reports[-1].counts["test_readings"] == 2


def test_a_stopped_comparison_says_how_to_go_on(split, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise InterruptedRunError("stopped", signal_number=signal.SIGTERM)

    monkeypatch.setattr(sys.modules["seqrec.comparison.cells"], "fit_layers", stop)
    with pytest.raises(InterruptedRunError, match=r"SIGTERM in .*begin the comparison again") as it:
        compared(split, tmp_path)
    assert it.value.exit_code == 143


def test_a_time_limited_cell_says_so_everywhere(split, tmp_path):
    limited = {"training": {"max_minutes": 1e-9}}
    found = compared(split, tmp_path, limited, tasks=["next_item", "relevance"])
    for document in (render(found, style) for style in ("text", "markdown")):
        assert "| lstm (time-limited)" in document or "\nlstm (time-limited)" in document
        assert "lstm (time-limited) - popularity" in document
    assert '"caveat": "time-limited"' in render(found, "json")
    assert "(time-limited)" in study_tables(found)


def test_a_time_limited_cell_is_judged_anew_only_with_more_time(split, tmp_path):
    limited = {"training": {"max_minutes": 1e-9}}
    (first,) = compared(split, tmp_path, limited)
    (again,) = compared(split, tmp_path, limited)
    assert render([again], "json") == render([first], "json")
    (whole,) = compared(split, tmp_path)
    assert whole.reports[-1].label == "lstm"
    assert whole.reports[-1].training["status"] == "completed"


def test_seeds_are_runs_of_their_own_and_stand_as_their_mean(split, folder, everything):
    tasks = ["relevance"]
    (both,) = compared(split, folder, models=["lstm", "bert4rec"], tasks=tasks, seeds=2)
    one = next(c for c in everything[0] if c.task == "relevance")
    lstm, before = both.reports[-2], one.reports[-2]
    assert lstm.training["seed"] == "0 / 1"
    assert lstm.spread["accuracy"] > 0
    assert lstm.metrics["accuracy"].value != before.metrics["accuracy"].value
    assert both.reports[0] == one.reports[0]  # popularity has no seed
    assert list(both.differences) == list(one.differences)
    for document in (render([both], style) for style in ("text", "markdown")):
        assert "±" in document
        assert "intervals of all seeds" in document


def test_a_first_seed_other_than_0_is_another_cell(split, tmp_path):
    (found,) = compared(split, tmp_path, {"training": {"seed": 3}})
    assert found.reports[-1].training["seed"] == 3
    assert (tmp_path / "toy" / "next_item" / "lstm" / "seed-3" / "results-test").exists()


def test_other_settings_of_a_baseline_are_never_shown(split, folder, monkeypatch):
    monkeypatch.setattr(Systems, "settings", lambda *_: {"neighbours": 7})
    with pytest.raises(CheckpointError, match=r"fit\.neighbours"):
        compared(split, folder)


def test_one_set_of_rules_judges_models_and_baselines(split, tmp_path):
    rules = {"evaluation": {"k": 5, "ties": "order", "filter_seen": False}}
    (found,) = compared(split, tmp_path, rules)
    assert found.headline == "ndcg@5"
    for report in found.reports:
        assert report.protocol | rules["evaluation"] == report.protocol
        assert set(found.metrics) <= set(report.metrics)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ({"training": {"lrr": 1}}, "did you mean `lr`"),
        ({"training": {"monitor": "auc"}}, "what validation measures"),
        ({"negatives": {"neg_sampling": "popularity"}}, "that is the task relevance-popularity"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_trained(split, tmp_path, layers, said):
    task = "relevance" if "negatives" in layers else "next_item"
    with pytest.raises(ConfigError, match=said):
        compared(split, tmp_path, layers, tasks=[task])
    assert list(tmp_path.iterdir()) == []


def test_cells_with_other_rules_do_not_stand_in_one_table(split, tmp_path):
    cells = {**CELLS, ("bert4rec", "next_item"): {"evaluation": {"k": 3}}}
    with pytest.raises(ConfigError, match=r"\[evaluation\] tables of lstm and bert4rec differ"):
        compare("toy", split, folder=tmp_path, tasks=["next_item"], cells=cells)


def test_an_unknown_task_is_named(split, tmp_path):
    with pytest.raises(ConfigError, match="`task` is 'relevanse': did you mean `relevance`"):
        compared(split, tmp_path, tasks=["relevanse"])


@pytest.mark.parametrize("twice", [{"models": ["lstm", "lstm"]}, {"tasks": ["next_item"] * 2}])
def test_what_is_named_twice_is_not_taken_for_two_seeds(split, tmp_path, twice):
    with pytest.raises(ConfigError, match="each once: seeds are an option"):
        compare("toy", split, folder=tmp_path, **{"tasks": ["next_item"], **twice})


def test_recipes_are_found_by_their_names(tmp_path):
    path = tmp_path / "toy-lstm-relevance-popularity.toml"
    path.touch()
    (tmp_path / "other-lstm-relevance.toml").touch()
    assert recipe_paths(tmp_path, "toy") == {("lstm", "relevance-popularity"): path}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_trains_what_its_name_says(path, split, tmp_path):
    _, model, question = re.fullmatch(
        rf"(.+?)-({'|'.join(MODELS)})-({'|'.join(QUESTIONS)})", path.stem
    ).groups()
    tables = config.read_toml(path)
    alone = resolve({"recipe": tables})[0]
    (cell,) = plan_cells(question, split, tmp_path, [model], {}, {(model, question): tables}, 1)
    assert alone == cell.config


def test_a_folder_of_recipes_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder of recipes .*recipies"):
        recipe_paths(tmp_path / "recipies", "toy")


def test_json_comes_back_as_the_same_comparisons(everything, tmp_path):
    document = render(everything[0], "json")
    (tmp_path / "comparison.json").write_text(document)
    back = read_comparisons(tmp_path / "comparison.json")
    assert render(back, "json") == document
    assert render(back, "markdown") == render(everything[0], "markdown")


@pytest.mark.parametrize("text", ["", '{"a": 1}', "[{}]", "[1]", '[{"data": "a", "task": "b"}]'])
def test_a_file_of_something_else_is_no_comparison(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json is no comparison"):
        read_comparisons(tmp_path / "a.json")


def test_another_format_is_refused(everything):
    with pytest.raises(ConfigError, match="`format` is 'html'"):
        render(everything[0], "html")


def test_markdown_is_tables_below_headings(everything):
    lines = render(everything[0], "markdown").splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## toy, next item",
        "## toy, relevance",
        "## toy, relevance, popularity-matched negatives",
    ]
    assert "| system     |" in "\n".join(lines)


def test_the_study_stands_beside_uniform_negatives_alone(everything):
    lines = study_tables(everything[0]).splitlines()
    assert lines[2].split() == ["study,", "films", "small", "0.908", "0.841"]
    assert [line for line in lines if line.startswith("seqrec, toy")] == [lines[4]]


def test_another_split_stands_beside_the_name_of_the_data(everything):
    found = next(c for c in everything[0] if c.task == "relevance")
    protocol = {**found.reports[0].protocol, "split": "global_time"}
    reports = [dataclasses.replace(report, protocol=protocol) for report in found.reports]
    table = study_tables([dataclasses.replace(found, reports=reports)])
    assert "seqrec, toy, global_time" in table


def test_validation_is_told_from_the_test_part(everything):
    found = next(c for c in everything[0] if c.task == "relevance")
    protocol = {**found.reports[0].protocol, "part": "valid"}
    reports = [dataclasses.replace(report, protocol=protocol) for report in found.reports]
    assert "seqrec, toy, valid" in study_tables([dataclasses.replace(found, reports=reports)])


def test_a_model_that_was_not_compared_leaves_its_cell_empty(split, everything):
    (found,) = compared(split, everything[1], tasks=["relevance"])
    row = next(r for r in json.loads(study_tables([found], "json"))["rows"] if "toy" in r[
        "relevance accuracy"])  # fmt: skip
    assert row["bert4rec"] == "-"
    assert row["lstm"].startswith("0.")
