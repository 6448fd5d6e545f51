from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from seqrec.errors import ConfigError
from seqrec.simulation import SimulationConfig, build_world, preset, simulate
from seqrec.simulation.simulator import _draw, _draw_left

SMALL = SimulationConfig(users=300, items=60, mean_length=12, tastes=3)


def test_the_same_seed_gives_the_same_log():
    first, second = simulate(SMALL), simulate(SMALL)
    np.testing.assert_array_equal(first.item_ids, second.item_ids)
    np.testing.assert_array_equal(first.timestamps, second.timestamps)


def test_another_seed_gives_another_log():
    assert len(simulate(SMALL).item_ids) != len(simulate(replace(SMALL, seed=1)).item_ids)


def test_nobody_takes_an_item_twice():
    log = simulate(SMALL)
    pairs = np.stack([log.user_ids, log.item_ids], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_time_goes_forward_within_a_user():
    log = simulate(SMALL)
    same_user = log.user_ids[1:] == log.user_ids[:-1]
    assert (np.diff(log.timestamps)[same_user] > 0).all()


def test_lengths_have_the_wanted_mean_and_minimum():
    log = simulate(preset("demo"))
    lengths = np.bincount(log.user_ids)[1:]
    assert lengths.min() >= 5
    assert lengths.mean() == pytest.approx(30.0, rel=0.05)


def test_distributions_of_the_world_sum_to_one():
    world = build_world(SMALL)
    np.testing.assert_allclose(world.theta.sum(axis=1), 1)
    np.testing.assert_allclose(world.successor_weights.sum(axis=1), 1)
    assert world.prior.sum() == pytest.approx(1)


def test_an_item_is_never_its_own_successor_and_successors_are_distinct():
    world = build_world(SMALL)
    assert not (world.successors == np.arange(60)[:, None]).any()
    assert all(len(set(row)) == len(row) for row in world.successors.tolist())


@pytest.mark.parametrize(
    ("option", "value"),
    [("users", 0), ("items", 1), ("tastes", 0), ("drift", 1.5), ("follow", 1.0), ("seed", -1),
     ("users", 30.0), ("seed", 1.5), ("skew", math.inf), ("focus", math.nan), ("skew", "0.9"),
     ("skew", 200)],
)  # fmt: skip
def test_an_impossible_shape_is_refused_by_name(option, value):
    with pytest.raises(ConfigError, match=f"`{option}` is {value!r}"):
        replace(SMALL, **{option: value})


def test_a_popularity_too_steep_to_be_drawn_by_rejection_comes_to_an_end():
    steep = replace(SMALL, users=40, skew=40.0, skew_offset=0.0, follow=0.0)
    log = simulate(steep)
    pairs = np.stack([log.user_ids, log.item_ids], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert log.item_ids.max() <= 60


@pytest.mark.parametrize("previous", [None, 7])
def test_both_ways_to_draw_follow_the_same_law(previous):
    world, n = build_world(SMALL), 100_000
    taste = np.full(n, 2)
    before = None if previous is None else np.full(n, previous)
    taken = np.zeros((n, 60), dtype=bool)
    successor = int(world.successors[7, 0])
    taken[:, [0, 1, 5, 30, successor]] = True
    shares = [
        0.0 if taken[0, item]
        else world.theta[2, item] if previous is None
        else (1 - world.follow) * world.theta[2, item]
        + world.follow * sum(
            weight
            for after, weight in zip(
                world.successors[7], world.successor_weights[7], strict=True
            )
            if after == item
        )
        for item in range(60)
    ]  # fmt: skip
    wanted = np.array(shares) / sum(shares)
    left = _draw_left(world, taken, taste, before, np.random.default_rng(0))
    cumulative = (np.cumsum(world.theta, axis=1) + np.arange(3)[:, None]).ravel()
    any_item = _draw(world, cumulative, taste, before, np.random.default_rng(1))
    for drawn in (left, any_item[~taken[0, any_item]]):
        found = np.bincount(drawn, minlength=60) / len(drawn)
        assert found[taken[0]].sum() == 0
        spread = np.sqrt(wanted * (1 - wanted) / len(drawn))
        assert (np.abs(found - wanted) <= 5 * spread + 1e-12).all()


def test_a_mean_that_no_lengths_can_have_is_refused():
    with pytest.raises(ConfigError, match=r"`mean_length` is 31: .* to 30, half of the items"):
        replace(SMALL, mean_length=31)


def test_a_preset_says_how_many_items_it_needs():
    with pytest.raises(ConfigError, match="`items` is 11: it must be 12 or more in 'demo'"):
        preset("demo", items=11)


def test_an_unknown_preset_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="`preset` is 'tiny': it must be one of demo, ml-1m, fi"):
        preset("tiny")
