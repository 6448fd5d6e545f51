"""What a run is told: checked before anything is trained, and printed as it can be read again."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from seqrec import _core
from seqrec.config import read_toml
from seqrec.data import Interactions, Sequences
from seqrec.errors import ConfigError
from seqrec.experiment import resolve
from seqrec.experiment.config import MAX_WINDOW, to_toml


def resolved(model="lstm", task="next_item", **tables):
    return resolve({"asked": {"model": model, "task": task, **tables}})[0]


@pytest.mark.parametrize(
    ("task", "tables", "monitor"),
    [
        ("next_item", {}, "ndcg@10"),
        ("next_item", {"evaluation": {"k": 5}}, "ndcg@5"),
        ("next_item", {"training": {"monitor": "hit@10"}}, "hit@10"),
        ("relevance", {}, "accuracy"),
    ],
)
def test_the_monitor_is_what_the_task_measures(task, tables, monitor):
    assert resolved(task=task, **tables).training.monitor == monitor


@pytest.mark.parametrize(
    ("task", "tables"),
    [
        ("next_item", {"training": {"monitor": "ndcg@20"}}),
        ("next_item", {"training": {"monitor": "coverage@10"}}),
        ("relevance", {"training": {"monitor": "ndcg@10"}}),
    ],
)
def test_a_monitor_that_is_not_measured_is_refused_before_training(task, tables):
    with pytest.raises(ConfigError, match=r"`training\.monitor` is .*what validation measures: "):
        resolved(task=task, **tables)


def test_each_model_has_a_rate_of_its_own_that_a_recipe_overrules():
    lstm, bert4rec = resolved("lstm").training, resolved("bert4rec").training
    assert (lstm.lr, lstm.betas) == (1e-3, (0.9, 0.999))
    assert (bert4rec.lr, bert4rec.betas) == (2e-3, (0.9, 0.98))
    assert resolved("bert4rec", training={"lr": 1e-4}).training.lr == 1e-4


def test_coverage_can_be_watched_where_it_is_measured():
    tables = {"evaluation": {"lists": True}, "training": {"monitor": "coverage@10"}}
    assert resolved(**tables).training.monitor == "coverage@10"


@pytest.mark.parametrize("option", [{"k": 5}, {"ties": "order"}, {"lists": True}])
def test_relevance_refuses_options_of_rankings(option):
    name = next(iter(option))
    with pytest.raises(ConfigError, match=rf"`evaluation\.{name}` is .*left out for relevance"):
        resolved(task="relevance", evaluation=option)


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_relevance_is_trained_on_negatives_that_it_is_judged_on(model):
    drawn = {"neg_sampling": "popularity", "pop_alpha": 0.5}
    with pytest.raises(ConfigError, match=r"`negatives\.pop_alpha` is 0\.5: .* 1 for relevance"):
        resolved(model, "relevance", negatives=drawn)
    losses = {"objective": {"loss": "sampled_ce"}, "negatives": drawn | {"num_negatives": 4}}
    assert resolved(model, "next_item", **losses).negatives.pop_alpha == 0.5


@pytest.mark.parametrize("windows", [{"windows": "last"}, {"windows": "sliding", "stride": 4}])
def test_relevance_of_bert4rec_refuses_windows_that_it_does_not_cut(windows):
    with pytest.raises(ConfigError, match=r"`windows\.windows` is .*relevance\.targets_per_user"):
        resolved("bert4rec", "relevance", windows=windows)
    assert resolved("lstm", "relevance", windows=windows).windows.windows == windows["windows"]


def test_a_config_that_is_no_table_is_named(split):
    layers = {"config": [1], "argument": {"model": "lstm", "task": "next_item"}}
    with pytest.raises(ConfigError, match=r"`config` is \[1\]: it must be tables of options"):
        resolve(layers, split)


@pytest.mark.parametrize("table", ["windows", "evaluation", "objective", "bert4rec", "training"])
def test_a_value_in_place_of_a_table_is_named(table):
    with pytest.raises(ConfigError, match=rf"`{table}` is 3: it must be a table"):
        resolved(model="bert4rec", **{table: 3})


@pytest.mark.parametrize(
    ("model", "tables"),
    [
        ("lstm", {"bert4rec": {"hidden_size": 3}}),
        ("lstm", {"cloze": {"oops": 1}}),
        ("bert4rec", {"lstm": {"hidden_size": -1}}),
        ("lstm", {"negatives": {"num_negatives": -1}}),
        ("bert4rec", {"relevance": 3}),
    ],
)
def test_a_table_without_a_meaning_is_refused_before_its_options(model, tables):
    (table,) = tables
    with pytest.raises(ConfigError, match=rf"\[{table}\] has no meaning for {model} on next_item"):
        resolved(model, **tables)


@pytest.mark.parametrize("window", [-1, 0, MAX_WINDOW + 1, 2**70])
def test_a_window_that_the_kernel_does_not_take_is_refused_before_training(window):
    with pytest.raises(ConfigError, match=rf"`start\.window` is {window}: .* from 1 to 1024"):
        resolved(start={"window": window})


@pytest.mark.parametrize("std", [0.0, float("nan"), 1e39])
def test_a_size_that_no_vector_has_is_refused(std):
    with pytest.raises(ConfigError, match=r"`start\.std` is .*: it must be above 0, at most"):
        resolved(start={"std": std})


def test_the_largest_window_is_that_of_the_kernel():
    assert resolved(start={"window": MAX_WINDOW}).start.window == MAX_WINDOW
    log = Sequences.from_lists([[1, 2]])
    _core.weigh_pairs(log.items, log.starts, log.stops, MAX_WINDOW)
    with pytest.raises(ConfigError, match="window"):
        _core.weigh_pairs(log.items, log.starts, log.stops, MAX_WINDOW + 1)


def test_the_length_of_a_row_is_said_once():
    config = resolved(model="bert4rec", windows={"max_seq_len": 30})
    assert config.bert4rec.max_seq_len == 30
    with pytest.raises(ConfigError, match=r"`bert4rec\.max_seq_len` is 20: .* which is 30"):
        resolved("bert4rec", windows={"max_seq_len": 30}, bert4rec={"max_seq_len": 20})


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_the_printed_config_resolves_to_itself(model, task):
    config, origins = resolve({"asked": {"model": model, "task": task}})
    printed = to_toml(config, origins)
    assert resolve({"recipe": tomllib.loads(printed)})[0] == config


def test_where_a_run_computes_is_no_part_of_its_identity():
    here, there = (resolved(training={"device": device}) for device in ("cpu", "auto"))
    assert here.identity() == there.identity() != resolved(training={"seed": 1}).identity()


def catalogue(n_items, actions_each):
    """A split of so many items, each of them in the training part so often."""
    users, items = np.divmod(np.arange(n_items * actions_each), 100)
    log = pd.DataFrame({
        "user_id": np.append(users, np.repeat(np.unique(users), 2)),
        "item_id": np.append(items + users * 100, np.zeros(2 * (users[-1] + 1), int)) % n_items,
    })  # fmt: skip
    log["timestamp"] = np.arange(len(log))
    return Interactions.from_frame(log).split()


LARGE = catalogue(10_000, 10)
RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


@pytest.mark.parametrize(
    ("split", "task", "width", "epochs", "batch_size"),
    [
        (LARGE, "next_item", 512, 8, 128),
        (LARGE, "relevance", 128, 10, 64),
        (catalogue(9_999, 10), "next_item", 256, 20, 64),
        (catalogue(10_000, 9), "next_item", 256, 20, 64),
    ],
)
def test_many_items_with_many_actions_each_get_wide_vectors(split, task, width, epochs, batch_size):
    assert split.train.n_events >= 9 * split.dataset.n_items
    config, origins = resolve({"asked": {"model": "lstm", "task": task}}, split)
    assert config.lstm.embedding_dim == width
    by_rule = {key for key, origin in origins.items() if origin == "default for this data"}
    wide = (split, task) == (LARGE, "next_item")
    chosen = {"lstm.embedding_dim", "start.std", "training.epochs", "training.batch_size"}
    assert by_rule == (chosen if wide else set())
    assert (config.training.epochs, config.training.batch_size) == (epochs, batch_size)


@pytest.mark.parametrize(
    ("bounds", "repeats", "sizes"),
    [
        ({"SHORT_HISTORY": 99}, False, (128, 512, 0.2)),  # 100 actions of each user, 100,000 in all
        ({"SHORT_HISTORY": 100}, False, (64, 256, 0.0)),
        ({"SHORT_HISTORY": 100}, True, (128, 256, 0.0)),
        ({"SHORT_HISTORY": 100, "FEW_ACTIONS": 99_999}, False, (128, 256, 0.0)),
    ],
)
def test_relevance_by_the_lstm_is_narrower_where_histories_are_short(
    monkeypatch, bounds, repeats, sizes
):
    for name, value in bounds.items():
        monkeypatch.setattr(f"seqrec.experiment.defaults.{name}", value)
    split = dataclasses.replace(LARGE, filter_seen=not repeats)
    config, origins = resolve({"asked": {"model": "lstm", "task": "relevance"}}, split)
    lstm = config.lstm
    assert (lstm.embedding_dim, lstm.hidden_size, lstm.output_dropout) == sizes
    assert ("default for this data" in origins.values()) == (sizes != (128, 512, 0.2))


@pytest.mark.parametrize(
    ("bounds", "windows"),
    [
        ({}, "prefixes"),  # 100 actions of each user, 100,000 in all
        ({"FEW_ACTIONS": 99_999}, "random"),
        ({"FEW_ACTIONS": 99_999, "SHORT_HISTORY": 100}, "prefixes"),
        ({"FEW_ACTIONS": 99_999, "SHORT_HISTORY": 99}, "random"),
        ({"MOST_PREFIXES": 99_999}, "random"),
    ],
)
def test_short_histories_and_few_actions_are_learned_from_prefixes(monkeypatch, bounds, windows):
    assert LARGE.train.n_events == 100_000
    for name, value in bounds.items():
        monkeypatch.setattr(f"seqrec.experiment.defaults.{name}", value)
    run, _ = resolve({"asked": {"model": "bert4rec", "task": "next_item"}}, LARGE)
    assert run.windows.windows == windows
    found = run.bert4rec.hidden_size, run.cloze.last_only_prob, run.start.biases
    prefixes = windows == "prefixes"
    assert found == ((256, 1.0, "popularity") if prefixes else (128, 0.15, "zero"))
    assert run.objective.label_smoothing == (0.3 if prefixes else 0.0)


@pytest.mark.parametrize("asked", [{"windows": {"windows": "last"}}, {"cloze": {"mask_prob": 0.4}}])
def test_rows_that_are_asked_for_are_no_prefixes(asked):
    asked = {"model": "bert4rec", "task": "next_item", **asked}
    run, _ = resolve({"asked": asked}, LARGE)
    assert run.windows.windows != "prefixes"
    assert run.bert4rec.hidden_size == 128


@pytest.mark.parametrize(
    ("loss", "repeats", "smoothing"),
    [("ce", False, 0.3), ("ce", True, 0.0), ("gbce", False, 0.0)],
)
def test_targets_of_prefixes_are_smoothed_where_nobody_takes_an_item_twice(
    loss, repeats, smoothing
):
    asked = {"model": "bert4rec", "task": "next_item", "objective": {"loss": loss}}
    run, _ = resolve({"asked": asked}, dataclasses.replace(LARGE, filter_seen=not repeats))
    assert (run.windows.windows, run.objective.label_smoothing) == ("prefixes", smoothing)


@pytest.mark.parametrize(("repeats", "dropout"), [(False, 0.5), (True, 0.3)])
def test_relevance_by_bert4rec_drops_more_of_short_histories_without_repeats(
    monkeypatch, repeats, dropout
):
    monkeypatch.setattr("seqrec.experiment.defaults.SHORT_HISTORY", 100)
    split = dataclasses.replace(LARGE, filter_seen=not repeats)
    config, _ = resolve({"asked": {"model": "bert4rec", "task": "relevance"}}, split)
    assert (config.bert4rec.relevance_head, config.bert4rec.dropout) == ("pooled", dropout)


@pytest.mark.parametrize(
    ("few", "asked", "head", "batch_size"),
    [
        (99_999, {}, "last", 64),
        (100_000, {}, "pooled", 256),
        (99_999, {"bert4rec": {"relevance_head": "pooled"}}, "pooled", 256),
        (99_999, {"relevance": {"targets_per_user": 4}}, "pooled", 256),
    ],
)
def test_the_last_item_judges_for_bert4rec_where_histories_are_long_and_actions_many(
    monkeypatch, few, asked, head, batch_size
):
    monkeypatch.setattr("seqrec.experiment.defaults.FEW_ACTIONS", few)
    config, origins = resolve({"asked": {"model": "bert4rec", "task": "relevance"} | asked}, LARGE)
    assert (config.bert4rec.relevance_head, config.training.batch_size) == (head, batch_size)
    assert (config.relevance is None) == (head == "last")
    assert (origins.get("bert4rec.relevance_head") == "default for this data") == (head == "last")


def test_a_head_is_said_of_a_model_that_has_one():
    asked = {"model": "lstm", "task": "relevance", "relevance": {"targets_per_user": 4}}
    with pytest.raises(ConfigError, match=r"for lstm on relevance with loss 'bce': leave it out"):
        resolve({"asked": asked})


def test_the_head_of_the_last_item_brings_its_defaults_to_any_data():
    asked = {"model": "bert4rec", "task": "relevance", "bert4rec": {"relevance_head": "last"}}
    config, _ = resolve({"asked": asked | {"windows": {"windows": "last"}}})
    assert (config.training.batch_size, config.windows.windows) == (64, "last")
    with pytest.raises(ConfigError, match=r"table \[relevance\] .* relevance_head 'last'"):
        resolve({"asked": asked | {"relevance": {"targets_per_user": 4}}})


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_large_data_moves_the_defaults_of_both_models(model):
    bare = {"bare": {"model": model, "task": "next_item"}}
    assert resolve(bare, LARGE)[0] != resolve(bare)[0]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("longest", [32, 100])
def test_a_published_recipe_leaves_no_option_to_the_data_or_the_machine(
    monkeypatch, recipe, longest
):
    monkeypatch.setattr("seqrec.experiment.defaults.SHORT_HISTORY", longest)
    monkeypatch.setattr("seqrec.experiment.defaults.has_bf16", lambda _: True)
    tables = {"recipe": read_toml(recipe)}
    assert resolve(tables, LARGE)[0] == resolve(tables)[0]


@pytest.mark.parametrize("native", [True, False])
def test_a_machine_that_has_bfloat16_trains_in_it(monkeypatch, native):
    monkeypatch.setattr("seqrec.experiment.defaults.has_bf16", lambda _: native)
    asked = {"asked": {"model": "lstm", "task": "next_item"}}
    config, origins = resolve(asked, LARGE)
    assert config.training.precision == ("bf16" if native else "fp32")
    assert (origins.get("training.precision") == "default for this machine") == native
    assert resolve(asked)[0].training.precision == "fp32"


def test_the_precision_is_that_of_the_device_that_is_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr("seqrec.experiment.defaults.has_bf16", lambda device: seen.append(device))
    asked = {"model": "lstm", "task": "next_item", "training": {"device": "cpu"}}
    resolve({"asked": asked}, LARGE)
    assert seen == [torch.device("cpu")]


def test_a_precision_that_is_asked_for_wins_over_that_of_the_machine(monkeypatch):
    monkeypatch.setattr("seqrec.experiment.defaults.has_bf16", lambda _: True)
    asked = {"model": "lstm", "task": "next_item", "training": {"precision": "fp32"}}
    config, origins = resolve({"asked": asked}, LARGE)
    assert (config.training.precision, origins["training.precision"]) == ("fp32", "asked")


def test_prefixes_that_are_asked_for_bring_their_defaults(monkeypatch):
    monkeypatch.setattr("seqrec.experiment.defaults.MOST_PREFIXES", 0)
    asked = {"windows": {"windows": "prefixes"}, "training": {"epochs": 2}}
    run, _ = resolve({"asked": {"model": "bert4rec", "task": "next_item", **asked}}, LARGE)
    assert (run.bert4rec.hidden_size, run.training.epochs) == (256, 2)


def test_a_width_that_is_asked_for_wins_over_that_of_the_catalogue():
    asked = {"model": "lstm", "task": "next_item", "lstm": {"embedding_dim": 32}}
    assert resolve({"recipe": asked}, LARGE)[0].lstm.embedding_dim == 32


@pytest.mark.parametrize("key", ["model", "task"])
def test_model_and_task_have_to_be_said(key):
    asked = {"model": "lstm", "task": "relevance"}
    del asked[key]
    with pytest.raises(ConfigError, match=f"option `{key}` is missing"):
        resolve({"recipe": asked})
