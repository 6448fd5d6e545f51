"""A config is written as the recipe that it came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from seqrec.cards.recipe import PINNED, recipe_of
from seqrec.config import read_toml
from seqrec.experiment import resolve

CARDS = Path(__file__).parents[3] / "recipes/cards"


@pytest.mark.parametrize(
    "recipe",
    [
        {"model": "lstm", "task": "next_item"},
        {"model": "lstm", "task": "next_item", "training": {"lr": 0.01, "seed": 3}},
        {"model": "lstm", "task": "next_item", "objective": {"loss": "sampled_ce"}},
        {
            "model": "lstm", "task": "next_item", "objective": {"loss": "gbce", "gbce_t": 0.5},
            "negatives": {"num_negatives": 32},
        },
        {"model": "lstm", "task": "next_item", "evaluation": {"k": 5}},
        {
            "model": "bert4rec", "task": "next_item", "windows": {"max_seq_len": 30},
            "training": {"betas": [0.9, 0.95]},
        },
        {"model": "bert4rec", "task": "relevance", "bert4rec": {"relevance_head": "inside"}},
        {"model": "bert4rec", "task": "relevance", "bert4rec": {"relevance_head": "last"}},
    ],
)  # fmt: skip
def test_recipe_of_a_config_is_the_one_it_came_from(recipe):
    config = resolve({"recipe": recipe})[0]
    found = recipe_of(config)
    assert resolve({"recipe": found})[0] == config
    flat = {(k, o): v for k, t in found.items() if isinstance(t, dict) for o, v in t.items()}
    asked = {(k, o) for k, t in recipe.items() if isinstance(t, dict) for o in t}
    pinned = {(k, o) for k, options in PINNED.items() for o in options}
    assert asked <= set(flat) <= asked | pinned


def test_a_recipe_says_what_depends_on_the_data():
    config = resolve({"recipe": {"model": "lstm", "task": "next_item"}})[0]
    assert recipe_of(config)["lstm"]["embedding_dim"] == 256


@pytest.mark.parametrize(("task", "said"), [("relevance", True), ("next_item", False)])
def test_a_recipe_says_the_head_where_it_depends_on_the_data(task, said):
    found = recipe_of(resolve({"recipe": {"model": "bert4rec", "task": task}})[0])
    assert ("relevance_head" in found["bert4rec"]) == said


def test_a_recipe_says_what_depends_on_the_machine():
    config = resolve({"recipe": {"model": "lstm", "task": "next_item"}})[0]
    assert recipe_of(config)["training"]["precision"] == "fp32"


@pytest.mark.parametrize(
    ("task", "loss", "said"),
    [("next_item", "ce", True), ("next_item", "gbce", False), ("relevance", "bce", False)],
)
def test_a_recipe_says_how_targets_are_smoothed_where_they_can_be(task, loss, said):
    recipe = {"model": "bert4rec", "task": task, "objective": {"loss": loss}}
    found = recipe_of(resolve({"recipe": recipe})[0])
    assert ("label_smoothing" in found.get("objective", {})) == said


@pytest.mark.parametrize("card", sorted(CARDS.glob("*.md")), ids=lambda path: path.stem)
def test_a_published_card_has_the_recipe_beside_it(card):
    (shown,) = re.findall(r"```toml\n(.*?)```", card.read_text(), re.DOTALL)
    wanted = read_toml(CARDS.parent / f"{card.stem}.toml")
    machine = {"training": {"threads": 1, "precision": "bf16"}}
    found, asked = (
        resolve({"recipe": tables, "machine": machine})[0]
        for tables in (tomllib.loads(shown), wanted)
    )
    assert found.identity() == asked.identity()
