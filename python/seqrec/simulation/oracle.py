"""The best possible prediction on a simulated log: the ceiling beside each result.

For the generative model of `seqrec.simulation.simulator` the predictive distribution of the next
item given the observed history is

    p(x | x_1..x_t) = sum_k p(z_{t+1} = k | x_1..x_t) * p(x | z_{t+1} = k, x_1..x_t),

where the posterior of the taste comes from the forward algorithm (Rabiner 1989, section III.A)
and the second factor is the mixture of taste and transition without the items already taken.
Ranking by it has the largest expected hit@k and ndcg@k of all rankings. With one negative drawn
uniformly from the items that are neither taken nor the target, the best decision on a pair is
p(x) > (1 - p(x)) / (free items - 1), whose log-odds `PairOracle` returns.

A model may beat the oracle on one test set by luck, never beyond noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.simulation.simulator import World


@dataclass(frozen=True, slots=True)
class Oracle:
    """Scores the next item by its exact log-probability.

    Attributes:
        world: what the log was drawn from.
        world_items: int64 [n_items], the item of the world (from 0) behind internal id 1, 2, ...
            The catalogue of a prepared log holds only items that occur in it.
    """

    world: World
    world_items: NDArray[np.int64]

    def __call__(self, sequences: Sequences, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32 [B, n_items]: log p(x | history), the same large negative number for taken items.

        Raises:
            DataError: if a history is empty: the first item has no history to be predicted from.
        """
        probability = self.predictive(sequences, users)
        return np.log(np.maximum(probability, 1e-30)).astype(np.float32)

    def predictive(self, sequences: Sequences, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """float64 [B, n_items]: p(x | history), rows sum to 1 over the catalogue."""
        histories = [self.world_items[sequences.user(int(user)) - 1] for user in users]
        for user, history in zip(users, histories, strict=True):
            if len(history) == 0:
                raise DataError(f"user {int(user)} has no history to predict from")
        world_probability = _predict(self.world, histories)
        probability = world_probability[:, self.world_items]
        return probability / probability.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class PairOracle:
    """Judges pairs by the exact log-odds of positive against uniform negative."""

    oracle: Oracle

    def __call__(
        self,
        sequences: Sequences,
        users: NDArray[np.int32],
        candidates: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """float32 [B, C]: log-odds that a candidate is the next item and not a negative."""
        predictive = self.oracle.predictive(sequences, users)
        p = np.take_along_axis(predictive, candidates.astype(np.int64) - 1, axis=1)
        p = np.clip(p, 1e-30, 1 - 1e-12)
        free = predictive.shape[1] - sequences.lengths[users]
        negative = (1 - p) / np.maximum(free - 1, 1)[:, None]
        return np.log(p / negative).astype(np.float32)


def _predict(world: World, histories: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Predictive distributions [B, items of the world] after the given histories."""
    n_users, n = len(histories), world.theta.shape[1]
    lengths = np.array([len(history) for history in histories])
    padded = np.zeros((n_users, int(lengths.max())), dtype=np.int64)
    for row, history in enumerate(histories):
        padded[row, : len(history)] = history
    taken = np.zeros((n_users, n), dtype=bool)
    taken_mass = np.zeros((n_users, len(world.prior)))  # sum of theta_k over the taken items
    belief = np.tile(world.prior, (n_users, 1))  # p(z_t | x_1..x_{t-1})
    for step in range(padded.shape[1]):
        users = np.flatnonzero(lengths > step)
        item = padded[users, step]
        previous = padded[users, step - 1] if step else None
        likelihood = _emission(world, item, previous, taken[users], taken_mass[users])
        posterior = belief[users] * likelihood
        posterior /= posterior.sum(axis=1, keepdims=True)
        belief[users] = (1 - world.drift) * posterior + world.drift * world.prior
        taken[users, item] = True
        taken_mass[users] += world.theta[:, item].T
    return _next_item(world, belief, padded[np.arange(n_users), lengths - 1], taken, taken_mass)


def _emission(
    world: World,
    item: NDArray[np.int64],
    previous: NDArray[np.int64] | None,
    taken: NDArray[np.bool_],
    taken_mass: NDArray[np.float64],
) -> NDArray[np.float64]:
    """p(x_t = item | z_t = k, history) for each user and taste, [B, tastes]."""
    theta = world.theta[:, item].T
    if previous is None:
        return theta
    next_items, weights = world.successors[previous], world.successor_weights[previous]
    transition = (weights * (next_items == item[:, None])).sum(axis=1)
    mixture = (1 - world.follow) * theta + world.follow * transition[:, None]
    return mixture / _free_mass(world, next_items, weights, taken, taken_mass)


def _free_mass(
    world: World,
    next_items: NDArray[np.int64],
    weights: NDArray[np.float64],
    taken: NDArray[np.bool_],
    taken_mass: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability, before renormalisation, of the items not yet taken, [B, tastes]."""
    lost = (weights * np.take_along_axis(taken, next_items, axis=1)).sum(axis=1)
    return 1 - (1 - world.follow) * taken_mass - world.follow * lost[:, None]


def _next_item(
    world: World,
    belief: NDArray[np.float64],
    last: NDArray[np.int64],
    taken: NDArray[np.bool_],
    taken_mass: NDArray[np.float64],
) -> NDArray[np.float64]:
    next_items, weights = world.successors[last], world.successor_weights[last]
    scaled = belief / _free_mass(world, next_items, weights, taken, taken_mass)
    probability = (1 - world.follow) * (scaled @ world.theta)
    follow = world.follow * scaled.sum(axis=1, keepdims=True) * weights
    rows = np.arange(len(last))[:, None]
    probability[rows, next_items] += follow  # successors of an item are distinct
    return np.where(taken, 0.0, probability)
