"""A card says what is known of a run, and measures nothing."""

from __future__ import annotations

import dataclasses
import re
import shutil

import numpy as np
import pytest

import tiny_data
from seqrec.cards import read_card, to_markdown
from seqrec.comparison import compare
from seqrec.data import Interactions
from seqrec.errors import ConfigError, DataError
from seqrec.experiment import fit_layers, load, readings, refit
from seqrec.simulation import preset, simulate


def trained(split, folder, model="lstm", task="next_item", **tables):
    layers = {"tiny": {"model": model, "task": task, **tiny_data.tiny(model, **tables)}}
    return fit_layers(layers, split, folder=folder)


@pytest.fixture(scope="module")
def runs(split, tmp_path_factory):
    """Two seeds of one recipe, validated; nobody writes to them."""
    folders = [tmp_path_factory.mktemp("runs") / f"seed-{seed}" for seed in (0, 1)]
    for seed, folder in enumerate(folders):
        trained(split, folder, training={"seed": seed, "lr": 0.01}).evaluate("valid")
    return folders


@pytest.fixture
def run(runs, tmp_path):
    """A copy of the first one, to write to."""
    return shutil.copytree(runs[0], tmp_path / "run")


def number(report, name="ndcg@10"):
    value, low, high = report.metrics[name]
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def test_card_has_the_validation_numbers_with_their_intervals(runs, split):
    report = load(runs[0], dataset=split.dataset).evaluate("valid")
    assert f"| {number(report)} |" in to_markdown(read_card(runs[:1]))


def test_card_reads_no_test_part(run):
    text = to_markdown(read_card([str(run)]))
    assert "No reading of the test part is on record" in text
    assert re.search(r"\| ndcg@10 .*\| +not known \|", text)
    assert readings(run) == 0


def test_card_has_test_numbers_once_they_were_asked_for(run, split):
    report = load(run, dataset=split.dataset).evaluate("test")
    text = to_markdown(read_card([run]))
    assert number(report) in text
    assert "The test part was read once." in text


def test_numbers_of_weights_that_were_replaced_are_not_shown(run, split):
    load(run, dataset=split.dataset).evaluate("test")
    layers = {"tiny": {"model": "lstm", "task": "next_item", **tiny_data.tiny("lstm")}}
    fit_layers(layers, split, folder=run, overwrite=True)
    card = read_card([run])
    assert card.reports == {}
    assert "read once; its numbers were not kept" in to_markdown(card)


def test_numbers_on_another_split_or_of_a_refit_are_not_shown(run, split):
    load(run, dataset=split.dataset).evaluate("test")
    tables = {"training": {"seed": 0, "lr": 0.01}}
    layers = {"tiny": {"model": "lstm", "task": "next_item", **tiny_data.tiny("lstm", **tables)}}
    for cut in ((85, 95), (80, 90)):
        cuts = tuple(int(x) for x in np.percentile(split.dataset.times, cut))
        other = split.dataset.split("global_time", cuts)
        again = fit_layers(layers, other, folder=run, overwrite=True)
        assert again.last_report("test") is None
        assert read_card([run]).reports == {}
        again.evaluate("test")
        assert read_card([run]).reports["test"].protocol["cuts"] == list(cuts)
        again_by = f"`seqrec train DATA --split global_time --cuts {cuts[0]} {cuts[1]} --recipe"
        assert again_by in to_markdown(read_card([run]))
    assert refit(again, folder=run, overwrite=True).last_report("test") is None
    assert readings(run) == 3


def test_run_without_a_report_has_what_training_saw(run, split):
    (run / "report-valid.json").unlink()
    text = to_markdown(read_card([run]))
    value = load(run).training.history[0].metrics["ndcg@10"]
    assert re.search(rf"\| ndcg@10 +\| +{value:.4f} \|", text)
    assert "these are the ones that training saw" in text


def test_seeds_of_a_recipe_are_one_card_with_their_spread(runs):
    card = read_card(runs)
    assert card.seeds == (0, 1)
    text = to_markdown(card)
    assert re.search(r"\| ndcg@10 .* ± \d\.\d{4} ", text)
    assert "| seeds | 0 / 1 |" in text


def test_runs_of_two_recipes_are_refused(runs, split, tmp_path):
    trained(split, tmp_path / "other", training={"seed": 1})
    with pytest.raises(ConfigError, match=r"not seeds of one recipe: training\.lr was 0\.01"):
        read_card([runs[0], tmp_path / "other"])


def test_run_that_is_given_twice_is_refused(runs):
    with pytest.raises(ConfigError, match="have one seed, 0"):
        read_card([runs[0], runs[0]])
    with pytest.raises(ConfigError, match="have one seed, 1"):
        read_card([runs[0], runs[1], runs[1]])


@pytest.fixture(scope="module")
def refits(split, tmp_path_factory):
    """Two seeds of one recipe, whose validations chose different numbers of steps, refitted."""
    place, chosen = tmp_path_factory.mktemp("refits"), []
    for seed, steps in ((0, 1), (1, 2)):
        options = {"seed": seed, "lr": 0.01, "patience": 3}
        run = trained(split, place / f"seed-{seed}", training=options)
        run.training = dataclasses.replace(run.training, best_step=steps)
        refit(run, folder=place / f"refit-{seed}")
        chosen.append(place / f"refit-{seed}")
    return chosen


def test_refits_of_seeds_are_one_card_whatever_steps_each_validation_chose(refits):
    card = read_card(refits)
    assert card.facts["steps"] == [1, 2]
    assert "max_steps" not in card.recipe["training"]


def test_card_of_a_refit_says_what_a_refit_is(refits, split):
    text = to_markdown(read_card(refits[:1]))
    assert "A refit: trained on the training and the validation part" in text
    assert "judged on the test part alone" in text
    assert "then `seqrec refit DATA --run RUN --out REFIT`" in text
    assert "flatter" not in text
    load(refits[1], dataset=split.dataset).evaluate("test")
    assert re.search(r"\| ndcg@10 +\| +trained on \| +\d", to_markdown(read_card(refits[1:])))


def test_a_refit_is_no_seed_of_the_run_that_was_validated(runs, refits):
    with pytest.raises(ConfigError, match=r"protocol\.refit was None and is True"):
        read_card([runs[0], refits[1]])


def test_data_set_adds_its_name_and_sizes(runs, split, tmp_path):
    split.dataset.save(tmp_path / "films")
    text = to_markdown(read_card(runs[:1], tmp_path / "films"))
    assert text.startswith("# LSTM, next item, on films\n")
    assert f"films: {split.dataset.n_users} users, {split.dataset.n_items} items" in text


def test_other_data_set_is_refused(runs, tmp_path):
    log = simulate(preset("demo", users=20, items=30, mean_length=8, seed=2))
    Interactions.from_frame(log.to_pandas()).prepare().save(tmp_path / "other")
    with pytest.raises(DataError, match="a card names the data that it belongs to"):
        read_card(runs[:1], tmp_path / "other")


def test_card_has_fingerprint_machine_and_recipe(runs, split):
    text = to_markdown(read_card(runs[:1]))
    assert split.dataset.fingerprint in text
    for row in ("processor", "torch", "threads", "steps", "minutes"):
        assert f"| {row} | " in text
    assert "\nlr = 0.01\n" in text


def test_lines_of_use_work(runs):
    (block,) = re.findall(r"```python\n(.*?)```", to_markdown(read_card(runs[:1])), flags=re.DOTALL)
    *first, last = block.splitlines()
    scope = {}
    exec("\n".join(first), scope)
    assert len(eval(last, scope)) == 10


def test_saved_model_has_a_card_too(runs, tmp_path):
    load(runs[0]).save(tmp_path / "model")
    text = to_markdown(read_card([tmp_path / "model"]))
    assert "| ndcg@10 |" in text
    assert "processor" not in text


def test_run_that_ended_by_its_time_is_marked(runs):
    card = read_card(runs[:1])
    late = dataclasses.replace(card, facts={**card.facts, "status": ["time-limited"]})
    assert "**time-limited: not to be published.**" in to_markdown(late)
    assert "not to be published" not in to_markdown(card)


def test_a_copy_of_the_best_weights_is_a_seed_that_does_not_say_how_it_ended(runs, tmp_path):
    copy = shutil.copytree(runs[1] / "best", tmp_path / "copy")
    for folders in ([runs[0], copy], [copy, runs[0]]):
        card = read_card(folders)
        assert "steps" not in card.facts
        assert "| seeds |" in to_markdown(card)


def test_a_run_without_a_validation_says_so(split, tmp_path):
    trained(split, tmp_path / "late", training={"max_minutes": 1e-9})
    text = to_markdown(read_card([tmp_path / "late"]))
    assert "Nothing was validated" in text
    assert "chose the weights" not in text


def test_cells_of_a_comparison_have_their_test_numbers(split, tmp_path):
    cells = {("lstm", "relevance-popularity"): tiny_data.tiny("lstm")}
    (found,) = compare(
        "toy", split, folder=tmp_path, models=["lstm"], tasks=["relevance-popularity"], cells=cells,
        seeds=2,
    )  # fmt: skip
    report = next(report for report in found.reports if report.system == "lstm")
    folders = sorted((tmp_path / "toy" / "relevance-popularity" / "lstm").iterdir())
    text = to_markdown(read_card(folders))
    assert f"{number(report, 'accuracy')} ± {report.spread['accuracy']:.4f}" in text
    assert "one popularity negative for each positive" in text
    assert "drawn from items as often as they were taken" in text


@pytest.mark.parametrize("inner", [".", "refit"])
def test_compared_numbers_are_those_of_their_own_run_alone(split, tmp_path, inner):
    cells = {("lstm", "next_item"): tiny_data.tiny("lstm", training={"patience": 1})}
    compare(
        "toy", split, folder=tmp_path, models=["lstm"], tasks=["next_item"], cells=cells,
        refits=True,
    )  # fmt: skip
    folder = tmp_path / "toy" / "next_item" / "lstm" / "seed-0" / inner
    assert list(read_card([folder]).reports) == ["test"]
    layers = {"cell": {"model": "lstm", "task": "next_item", **cells["lstm", "next_item"]}}
    for change in ({"lstm": {"dropout": 0.6}}, {}):
        other = split.dataset.split("global_time") if not change else split
        fit_layers({**layers, "change": change}, other, folder=folder, overwrite=True)
        assert read_card([folder]).reports == {}


def test_relevance_is_used_by_its_pairs(split, tmp_path):
    inside = {"relevance_head": "inside"}
    trained(split, tmp_path / "run", "bert4rec", "relevance", bert4rec=inside)
    text = to_markdown(read_card([tmp_path / "run"]))
    assert "run.predict_proba(" in text
    assert "ranking needs `candidates=`" in text
    assert "on 2 draws" in text


def test_seen_filter_and_cold_items_are_limits(run, split):
    load(run, dataset=split.dataset).evaluate("test")
    card = read_card([run])
    assert "Items of the history are left out of the ranking" in to_markdown(card)
    kept = dataclasses.replace(card, filter_seen=False)
    assert "Items of the history stay in the ranking" in to_markdown(kept)
    report = card.reports["test"].with_counts({"cold_targets": 7})
    cold = dataclasses.replace(card, reports={"test": report})
    assert "7 of 60 test targets had no event in training" in to_markdown(cold)


def test_smoothed_targets_are_a_limit(run, split, tmp_path):
    assert "all items share" not in to_markdown(read_card([run]))
    smoothed = {"label_smoothing": 0.25}
    trained(split, tmp_path / "smoothed", "lstm", "next_item", objective=smoothed)
    assert "all items share 0.25 alike" in to_markdown(read_card([tmp_path / "smoothed"]))
