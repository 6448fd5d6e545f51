"""Where the item table of a run begins: [start]."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import seqrec as sr
import tiny_data
from seqrec.errors import ConfigError
from seqrec.training import thread_limit

CELLS = [(model, task) for model in ("lstm", "bert4rec") for task in ("next_item", "relevance")]


def untrained(split, model, task, **tables):
    return sr.fit(model, split, task=task, epochs=0, config=tiny_data.tiny(model, **tables)).model


@pytest.mark.parametrize(("model", "task"), CELLS)
def test_biases_start_at_the_logits_of_popularity(model, task):
    split = tiny_data.tiny_split()
    shares = (split.item_counts + 1) / (split.item_counts + 1).sum()
    start = {"biases": "popularity"}
    found = untrained(split, model, task, start=start).items.bias.detach().numpy()
    np.testing.assert_allclose(found, np.log(shares * split.dataset.n_items), rtol=1e-5, atol=1e-6)


def test_negatives_drawn_by_popularity_leave_nothing_of_it():
    negatives = {"neg_sampling": "popularity"}
    model = untrained(tiny_data.tiny_split(), "lstm", "relevance", negatives=negatives)
    assert not model.items.bias.any()


@pytest.mark.parametrize("loss", ["bce", "gbce"])
@pytest.mark.parametrize("biases", ["popularity", "zero"])
def test_biases_know_of_the_negatives_of_a_binary_loss(loss, biases):
    tables = {"start": {"biases": biases}, "negatives": {"num_negatives": 7}}
    softmax, binary = (
        untrained(tiny_data.tiny_split(), "lstm", "next_item", objective={"loss": name}, **tables)
        for name in ("sampled_ce", loss)
    )
    fewer = softmax.items.bias - binary.items.bias
    rows = tiny_data.SHARED["training"]["batch_size"]
    torch.testing.assert_close(fewer, torch.full_like(fewer, math.log(7 * rows)))


@pytest.mark.parametrize(("alpha", "left"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_negatives_by_a_power_of_popularity_leave_the_rest_of_it(alpha, left):
    negatives = {"num_negatives": 7, "neg_sampling": "popularity", "pop_alpha": alpha}
    uniform, drawn = (
        untrained(
            tiny_data.tiny_split(), "lstm", "next_item",
            objective={"loss": "bce"}, negatives=table,
        ).items.bias
        for table in ({"num_negatives": 7}, negatives)
    )  # fmt: skip
    apart = uniform - uniform.mean()
    torch.testing.assert_close(drawn - drawn.mean(), left * apart, rtol=1e-4, atol=1e-5)


def test_biases_start_at_zero_where_that_is_asked_for():
    split = tiny_data.tiny_split()
    assert not untrained(split, "lstm", "next_item", start={"biases": "zero"}).items.bias.any()


def test_a_candidate_inside_the_layers_has_no_bias_to_start():
    inside = {"relevance_head": "inside"}
    model = untrained(tiny_data.tiny_split(), "bert4rec", "relevance", bert4rec=inside)
    assert model.items.bias is None


def test_another_start_of_the_biases_is_refused():
    with pytest.raises(ConfigError, match=r"`start\.biases` is 'ones': .*popularity.*zero"):
        untrained(tiny_data.tiny_split(), "lstm", "next_item", start={"biases": "ones"})


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_first_weights_are_the_same_for_any_number_of_threads(model):
    tables = {"lstm": {"lstm": {"embedding_dim": 64, "hidden_size": 256}}, "bert4rec": {}}[model]
    config = {"start": {"item_vectors": "random"}, **tables}
    found = []
    for threads in (1, 2):
        with thread_limit(threads):
            run = sr.fit(model, tiny_data.tiny_split(), epochs=0, device="cpu", config=config)
        found.append(run.model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
