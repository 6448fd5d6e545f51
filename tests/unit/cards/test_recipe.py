"""A config is written as the recipe that it came from."""

from __future__ import annotations

import pytest

from seqrec.cards.recipe import recipe_of
from seqrec.experiment import resolve


@pytest.mark.parametrize(
    "recipe",
    [
        {"model": "lstm", "task": "next_item"},
        {"model": "lstm", "task": "next_item", "training": {"lr": 0.01, "seed": 3}},
        {"model": "lstm", "task": "next_item", "objective": {"loss": "sampled_ce"}},
        {
            "model": "lstm", "task": "next_item", "objective": {"loss": "gbce", "gbce_t": 0.5},
            "negatives": {"num_negatives": 64},
        },
        {"model": "lstm", "task": "next_item", "evaluation": {"k": 5}},
        {
            "model": "bert4rec", "task": "next_item", "windows": {"max_seq_len": 30},
            "training": {"betas": [0.9, 0.95]},
        },
        {"model": "bert4rec", "task": "relevance", "bert4rec": {"relevance_head": "inside"}},
    ],
)  # fmt: skip
def test_recipe_of_a_config_is_the_one_it_came_from(recipe):
    config = resolve({"recipe": recipe})[0]
    found = recipe_of(config)
    assert resolve({"recipe": found})[0] == config
    plain = {k: v for k, v in found.items() if not isinstance(v, dict)}
    tables = {k: {o: list(v) if isinstance(v, tuple) else v for o, v in t.items()}
              for k, t in found.items() if isinstance(t, dict)}  # fmt: skip
    assert plain | tables == recipe
