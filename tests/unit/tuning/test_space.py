"""A space is refused as a recipe is: by the name, the value and what would be allowed."""

from __future__ import annotations

import tomllib

import pytest

from seqrec.errors import ConfigError
from seqrec.experiment import MODELS, TASKS, resolve
from seqrec.tuning import Choices, Range, default_space, read_space


def space_of(text, model="lstm", task="next_item", **tables):
    return read_space(tomllib.loads(text), {"recipe": {"model": model, "task": task, **tables}})


def test_leaves_are_ranges_and_choices():
    space = space_of("""
        [training]
        lr = {low = 1e-4, high = 3e-3, log = true}
        betas = {choices = [[0.9, 0.98], [0.9, 0.999]]}
        [lstm]
        hidden_size = {low = 64, high = 256, step = 64}
    """)
    assert space.dimensions == {
        "training.lr": Range(low=1e-4, high=3e-3, log=True),
        "training.betas": Choices(([0.9, 0.98], [0.9, 0.999])),
        "lstm.hidden_size": Range(low=64, high=256, step=64),
    }


def test_bounds_of_a_real_option_are_real():
    bounds = space_of("[lstm]\ndropout = {low = 0, high = 0.5}").dimensions["lstm.dropout"]
    assert isinstance(bounds, Range)
    assert type(bounds.low) is float


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[lstm]\nhiden_size = {low = 1, high = 2}", "did you mean `hidden_size`"),
        ("[lstmm]\nhidden_size = {low = 1, high = 2}", "unknown option `lstmm`"),
        ("[bert4rec]\nnum_layers = {low = 1, high = 2}", "has no meaning for lstm"),
        ("[lstm]\nnum_layers = {low = 1.5, high = 2}", "`lstm.num_layers` is 1.5: .* type int"),
        ("[lstm]\nnum_layers = {low = 0, high = 2}", "`lstm.num_layers` is 0: .* at least 1"),
        ("[lstm]\ndropout = {low = 0.0, high = 1.0}", "`lstm.dropout` is 1.0"),
        ("[lstm]\nhidden_size = {choices = [8, 'many']}", "is 'many': it must be of type int"),
        ("[lstm]\nlayer_norm = {low = 0, high = 1}", "of type bool"),
        ("[training]\nlr = 1e-3", "`training.lr` is 0.001: write"),
        ("[training]\nlr = {low = 1e-3}", "write {low = ..., high = ...}"),
        ("[training]\nlr = {low = 1e-3, high = 1e-2, logg = true}", "did you mean `log`"),
        ("[training]\nlr = {choices = [1e-3, 1e-2], log = true}", "unknown option"),
        ("[training]\nlr = {choices = [1e-3]}", "at least two"),
        ("[training]\nlr = {choices = [1e-3, 1e-3]}", "different from those before"),
        ("[training]\nlr = {low = '1', high = 2}", "`training.lr.low` is '1': .* a number"),
        ("[training]\nlr = {low = 1e-2, high = 1e-3}", "`training.lr.high` is 0.001: .* above low"),
        ("[training]\nlr = {low = 0.0, high = 1e-3, log = true}", "above 0 where log"),
        ("[training]\nlr = {low = 1e-3, high = 1e-2, log = 1}", "`training.lr.log` is 1"),
        ("[lstm]\nhidden_size = {low = 8, high = 20, step = 8}", "a divisor of high - low"),
        ("[lstm]\nhidden_size = {low = 8, high = 16, step = 8, log = true}", "left out where log"),
        ("[lstm]\nnum_layers = {low = 1, high = 3, step = 0.5}", "an integer, as the option"),
        ('model = "lstm"', "`model` is 'lstm': a space has tables"),
        ("[training]\nepochs = {low = 1, high = 3}", "no hyper-parameter: it is the budget"),
        ("[training]\nseed = {low = 0, high = 9}", "no hyper-parameter: the best seed is luck"),
        ("[training]\nthreads = {low = 1, high = 2}", "no hyper-parameter: it changes no result"),
        ("[evaluation]\nresamples = {choices = [10, 20]}", "judged by the same rules"),
        ("", "the space is empty"),
    ],
)  # fmt: skip
def test_what_is_no_space_is_named(text, says):
    with pytest.raises(ConfigError, match=says):
        space_of(text)


def test_negatives_that_relevance_is_judged_on_are_not_searched():
    text = "[negatives]\nneg_sampling = {choices = ['uniform', 'popularity']}"
    with pytest.raises(ConfigError, match="judged by the same rules"):
        space_of(text, task="relevance")
    space_of(text, objective={"loss": "sampled_ce"})


def test_values_become_the_tables_of_a_recipe():
    space = space_of("[lstm]\nnum_layers = {low = 1, high = 2}")
    values = {"lstm.num_layers": 2, "lstm.dropout": 0.1, "training.lr": 1e-3}
    assert space.tables(values) == {
        "lstm": {"num_layers": 2, "dropout": 0.1},
        "training": {"lr": 1e-3},
    }


def test_start_has_the_values_that_the_space_holds():
    space = space_of("""
        [lstm]
        hidden_size = {low = 100, high = 300, step = 50}
        num_layers = {low = 2, high = 3}
        [training]
        betas = {choices = [[0.9, 0.999], [0.9, 0.98]]}
    """)
    base = resolve({"recipe": {"model": "lstm", "task": "next_item"}})[0]
    assert space.start(base) == {"training.betas": (0.9, 0.999)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", TASKS)
def test_default_space_holds_all_that_the_defaults_are(model, task):
    space = space_of(default_space(model, task), model, task)
    base = resolve({"recipe": {"model": model, "task": task}})[0]
    assert space.start(base).keys() == space.dimensions.keys()


def test_default_space_of_an_unknown_model_is_refused():
    with pytest.raises(ConfigError, match="did you mean `lstm`"):
        default_space("lstn", "next_item")


def test_an_option_of_a_table_that_the_start_lacks_is_in_no_trial_s_way():
    head = {"bert4rec": {"relevance_head": "last"}}
    space = space_of(
        "[relevance]\ntargets_per_user = {choices = [4, 8]}", model="bert4rec", task="relevance"
    )
    start, _ = resolve({"recipe": {"model": "bert4rec", "task": "relevance", **head}})
    assert (space.start(start), space.outside(start)) == ({}, {})


def test_trials_of_several_heads_are_as_long_as_the_start():
    space = space_of(
        "[bert4rec]\nrelevance_head = {choices = ['last', 'pooled']}", model="bert4rec",
        task="relevance",
    )  # fmt: skip
    start, _ = resolve({"recipe": {"model": "bert4rec", "task": "relevance"}})
    assert space.kept(start)["training"]["epochs"] == start.training.epochs == 10
