"""The oracle against an enumeration of all taste chains, and against what was drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.simulation import Oracle, PairOracle, SimulationConfig, build_world, simulate

TINY = SimulationConfig(
    users=1, items=6, mean_length=3, min_length=2, tastes=2, drift=0.3, focus=5.0, successors=2
)


def step_probability(world, item, taste, history):
    """p(item | taste, history) straight from the definition."""
    weight = world.theta[taste].copy()
    if history:
        transition = np.zeros(len(weight))
        transition[world.successors[history[-1]]] = world.successor_weights[history[-1]]
        weight = (1 - world.follow) * weight + world.follow * transition
    weight[list(history)] = 0
    return weight[item] / weight.sum()


def enumerate_chains(world, history):
    """The predictive distribution by summing over every chain of tastes."""
    k, n = world.theta.shape
    total = np.zeros(n)
    for chain in itertools.product(range(k), repeat=len(history) + 1):
        p = world.prior[chain[0]]
        for before, after in itertools.pairwise(chain):
            p *= (1 - world.drift) * (before == after) + world.drift * world.prior[after]
        for step, item in enumerate(history):
            p *= step_probability(world, item, chain[step], history[:step])
        total += p * np.array([step_probability(world, x, chain[-1], history) for x in range(n)])
    return total / total.sum()


@pytest.mark.parametrize("history", [[0], [3, 1], [5, 2, 0], [1, 2, 3, 4]])
def test_the_forward_algorithm_equals_the_sum_over_all_taste_chains(history):
    world = build_world(TINY)
    sequences = Sequences.from_lists([[item + 1 for item in history]])
    predicted = Oracle(world, np.arange(6)).predictive(sequences, np.array([0], dtype=np.int32))
    np.testing.assert_allclose(predicted[0], enumerate_chains(world, history), atol=1e-12)


def held_out_last(log):
    stops = np.cumsum(np.bincount(log.user_ids)[1:])
    starts = np.concatenate([[0], stops[:-1]])
    items = log.item_ids.astype(np.int32)
    return Sequences(items, starts, stops - 1), items[stops - 1]


def test_the_expected_hit_rate_is_the_observed_one():
    settings = SimulationConfig(users=3000, items=200, mean_length=15, tastes=5)
    log = simulate(settings)
    sequences, targets = held_out_last(log)
    users = np.arange(3000, dtype=np.int32)
    predicted = Oracle(log.world, np.arange(200)).predictive(sequences, users)
    at_target = predicted[users, targets - 1]
    hit = (predicted > at_target[:, None]).sum(axis=1) < 10
    expected = np.sort(predicted, axis=1)[:, -10:].sum(axis=1)
    noise = np.sqrt((expected * (1 - expected)).sum()) / 3000
    assert abs(hit.mean() - expected.mean()) < 4 * noise


def test_pair_odds_are_calibrated():
    settings = SimulationConfig(users=3000, items=200, mean_length=15, tastes=5)
    log = simulate(settings)
    sequences, targets = held_out_last(log)
    users = np.arange(3000, dtype=np.int32)
    rng = np.random.default_rng(0)
    taken = [set(sequences.user(u).tolist()) | {int(targets[u])} for u in range(3000)]
    negatives = [rng.choice([i for i in range(1, 201) if i not in seen]) for seen in taken]
    candidates = np.stack([targets, np.array(negatives)], axis=1).astype(np.int32)
    logits = PairOracle(Oracle(log.world, np.arange(200)))(sequences, users, candidates)
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    noise = np.sqrt((probability * (1 - probability)).sum()) / probability.size
    assert abs(probability.mean() - 0.5) < 4 * noise


def test_taken_items_come_last():
    world = build_world(TINY)
    sequences = Sequences.from_lists([[1, 4]])
    scores = Oracle(world, np.arange(6))(sequences, np.array([0], dtype=np.int32))[0]
    assert set(np.argsort(scores)[:2].tolist()) == {0, 3}


def test_an_empty_history_is_refused_by_user():
    oracle = Oracle(build_world(TINY), np.arange(6))
    with pytest.raises(DataError, match="user 0 has no history"):
        oracle.predictive(Sequences.from_lists([[]]), np.array([0], dtype=np.int32))
