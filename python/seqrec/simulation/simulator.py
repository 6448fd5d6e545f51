"""A generative model of who takes what, in which order, whose best possible prediction is known.

Each user follows a hidden chain of *tastes* z_1, z_2, ... and takes one item a step:

1. **Drifting taste.** z_1 ~ pi; later z_t = z_{t-1} with probability 1 - drift, else z_t ~ pi.
2. **Popularity and taste.** Taste k draws item j with probability
   theta_k(j) ~ popularity(j) * (focus if j belongs to taste k, else 1), where popularity falls with
   the rank of the item as (rank + offset)^-skew (Zipf-Mandelbrot).
3. **Item-to-item transitions.** With probability `follow` the item is one of the few successors of
   the item before it, j ~ T(x_{t-1}, j); else j ~ theta_{z_t}.
4. **Nothing twice.** Items already taken by the user are left out; the rest is renormalised.

So p(x_t | z_t, x_1..x_{t-1}) is known in closed form, the tastes are finitely many, and the forward
algorithm (`seqrec.simulation.oracle`) gives the exact predictive distribution: no model can do
better on average than to rank by it. Lengths are log-normal. Timestamps are seconds: a uniform
start in a year, then exponential gaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from seqrec import config
from seqrec.errors import ConfigError

PresetName = Literal["demo", "ml-1m", "films"]
BLOCK_USERS = 2048  # users simulated together: bounds the users x items table of taken items
PATIENCE = 256  # draws in vain before the items that are left are looked at one by one
SMALLEST = 1e-300  # a share of popularity; far below, a float64 is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """Shape of a simulated log and strength of what can be learned from it."""

    users: int = 4000
    items: int = 300
    mean_length: float = 30.0
    length_sigma: float = 0.5
    min_length: int = 5
    tastes: int = 12
    drift: float = 0.01
    focus: float = 30.0
    follow: float = 0.05
    successors: int = 4
    skew: float = 0.9
    skew_offset: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                whole = isinstance(value, Integral) and not isinstance(value, bool)
                config.check(whole, field.name, value, "a whole number")
            else:
                finite = isinstance(value, Real) and math.isfinite(value)
                config.check(finite, field.name, value, "a finite number")
        rules = [
            (self.users >= 1, "users", "at least 1"),
            (self.items >= 2, "items", "at least 2"),
            (1 <= self.tastes <= self.items, "tastes", "from 1 to the number of items"),
            (0 <= self.drift <= 1, "drift", "from 0 to 1"),
            (self.focus >= 1, "focus", "at least 1"),
            (0 <= self.follow < 1, "follow", "at least 0 and below 1"),
            (1 <= self.successors < self.items, "successors", "at least 1 and below the items"),
            (self.skew >= 0, "skew", "at least 0"),
            (self.skew_offset >= 0, "skew_offset", "at least 0"),
            (self.length_sigma >= 0, "length_sigma", "at least 0"),
            (1 <= self.min_length <= self.items // 2, "min_length", "from 1 to half of the items"),
            (
                self.min_length <= self.mean_length <= self.items // 2,
                "mean_length",
                f"from {self.min_length} (`min_length`) to {self.items // 2}, half of the items",
            ),
            (self.seed >= 0, "seed", "at least 0"),
            (
                self.skew * math.log(max(1, self.items + self.skew_offset)) < -math.log(SMALLEST),
                "skew",
                "less steep: the share of the last item would be 0",
            ),
        ]
        for allowed, name, rule in rules:
            config.check(allowed, name, getattr(self, name), rule)


PRESETS: dict[PresetName, SimulationConfig] = {
    "demo": SimulationConfig(),
    "ml-1m": SimulationConfig(
        users=6040, items=3416, mean_length=165.5, length_sigma=1.0, min_length=18, tastes=18
    ),
    "films": SimulationConfig(
        users=63_727, items=25_654, mean_length=14.7, length_sigma=0.8, min_length=3, tastes=24
    ),
}


def preset(
    name: str,
    *,
    seed: int = 0,
    users: int | None = None,
    items: int | None = None,
    mean_length: float | None = None,
) -> SimulationConfig:
    """A named shape, "demo" (seconds), "ml-1m" (dense) or "films" (sparse), or a variation of it.

    Raises:
        ConfigError: for an unknown name or an impossible shape.
    """
    if name not in PRESETS:
        raise ConfigError(f"option `preset` is {name!r}: it must be one of {', '.join(PRESETS)}")
    chosen = PRESETS[name]
    least = max(chosen.tastes, chosen.successors + 1, 2 * chosen.min_length)
    config.check(items is None or items >= least, "items", items, f"{least} or more in {name!r}")
    return replace(
        chosen,
        seed=seed,
        users=chosen.users if users is None else users,
        items=chosen.items if items is None else items,
        mean_length=chosen.mean_length if mean_length is None else mean_length,
    )


@dataclass(frozen=True, slots=True)
class World:
    """The drawn parameters. Items are 0..items-1 here; their raw ids are 1..items.

    Attributes:
        theta: float64 [tastes, items], rows sum to 1.
        prior: float64 [tastes], pi.
        successors: int64 [items, S], the items that may follow each item.
        successor_weights: float64 [items, S], rows sum to 1.
        drift: probability that the taste is drawn anew before a step.
        follow: probability that a step is a transition.
    """

    theta: NDArray[np.float64]
    prior: NDArray[np.float64]
    successors: NDArray[np.int64]
    successor_weights: NDArray[np.float64]
    drift: float
    follow: float


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated log, one row an action, grouped by user, oldest first.

    Attributes:
        user_ids: int64 [n], from 1.
        item_ids: int64 [n], from 1.
        timestamps: int64 [n], seconds.
        world: the parameters that it was drawn from.
    """

    user_ids: NDArray[np.int64]
    item_ids: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    world: World

    def to_pandas(self) -> pd.DataFrame:
        """The log as a frame with the columns user_id, item_id, timestamp."""
        return pd.DataFrame(
            {"user_id": self.user_ids, "item_id": self.item_ids, "timestamp": self.timestamps}
        )


def build_world(settings: SimulationConfig) -> World:
    """Draws the parameters of the generative model from the seed."""
    rng = np.random.default_rng([settings.seed, 0])
    n, k, s = settings.items, settings.tastes, settings.successors
    rank = rng.permutation(n)
    popularity = (rank + 1.0 + settings.skew_offset) ** -settings.skew
    home = rng.permutation(np.arange(n) % k)
    theta = popularity * np.where(home == np.arange(k)[:, None], settings.focus, 1.0)
    theta /= theta.sum(axis=1, keepdims=True)
    prior = rng.dirichlet(np.full(k, 5.0))
    # Distinct successors, none of them the item itself: steps round the circle of items.
    steps = np.stack([rng.choice(n - 1, size=s, replace=False) + 1 for _ in range(n)])
    successors = (np.arange(n)[:, None] + steps) % n
    weights = rng.dirichlet(np.ones(s), size=n)
    return World(theta, prior, successors, weights, settings.drift, settings.follow)


def simulate(settings: SimulationConfig) -> Simulated:
    """Draws a whole log; the same settings give the same log."""
    world = build_world(settings)
    rng = np.random.default_rng([settings.seed, 1])
    lengths = _lengths(settings, rng)
    blocks = [
        _simulate_block(world, lengths[at : at + BLOCK_USERS], rng)
        for at in range(0, settings.users, BLOCK_USERS)
    ]
    item_ids = np.concatenate(blocks) + 1
    user_ids = np.repeat(np.arange(1, settings.users + 1), lengths)
    return Simulated(user_ids, item_ids, _timestamps(lengths, rng), world)


def _lengths(settings: SimulationConfig, rng: np.random.Generator) -> NDArray[np.int64]:
    """Log-normal lengths with the wanted mean, at most half of the catalogue."""
    excess = settings.mean_length - settings.min_length
    sigma = settings.length_sigma
    drawn = excess * rng.lognormal(-(sigma**2) / 2, sigma, settings.users)
    return np.minimum(settings.min_length + np.rint(drawn).astype(np.int64), settings.items // 2)


def _timestamps(lengths: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Uniform starts in one year from 2020-01-01 (UTC) and gaps of five days on average."""
    start = 1_577_836_800 + rng.integers(0, 365 * 86_400, size=len(lengths))
    gaps = 1 + rng.exponential(5 * 86_400.0, size=int(lengths.sum())).astype(np.int64)
    elapsed = np.cumsum(gaps)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.repeat(start - elapsed[first], lengths) + elapsed


def _simulate_block(
    world: World, lengths: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """The items of some users, user by user; all users take a step together."""
    n_users, (k, n) = len(lengths), world.theta.shape
    taken = np.zeros((n_users, n), dtype=bool)
    history = np.zeros((n_users, int(lengths.max())), dtype=np.int64)
    taste = rng.choice(k, size=n_users, p=world.prior)
    # One searchsorted serves all tastes: the k-th cumulative distribution lies in [k, k + 1).
    cumulative = (np.cumsum(world.theta, axis=1) + np.arange(k)[:, None]).ravel()
    for step in range(history.shape[1]):
        users = np.flatnonzero(lengths > step)
        drifts = rng.random(len(users)) < (world.drift if step else 0.0)
        taste[users[drifts]] = rng.choice(k, size=int(drifts.sum()), p=world.prior)
        previous = history[users, step - 1] if step else None
        waiting = np.arange(len(users))
        in_vain = 0
        while len(waiting):  # rejection of taken items renormalises what remains
            asked = users[waiting]
            before = None if previous is None else previous[waiting]
            if in_vain < PATIENCE:
                drawn = _draw(world, cumulative, taste[asked], before, rng)
            else:
                drawn = _draw_left(world, taken[asked], taste[asked], before, rng)
            in_vain += 1
            fresh = ~taken[asked, drawn]
            history[asked[fresh], step] = drawn[fresh]
            taken[asked[fresh], drawn[fresh]] = True
            waiting = waiting[~fresh]
    return history[np.arange(history.shape[1]) < lengths[:, None]]


def _draw(
    world: World,
    cumulative: NDArray[np.float64],
    taste: NDArray[np.int64],
    previous: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """One item for each user, taken or not: from the taste, or a successor of the item before."""
    n = world.theta.shape[1]
    at = np.searchsorted(cumulative, taste + rng.random(len(taste)), side="right")
    drawn = np.clip(at - taste * n, 0, n - 1)
    if previous is not None:
        follows = rng.random(len(taste)) < world.follow
        weights = np.cumsum(world.successor_weights[previous], axis=1)
        place = (rng.random(len(taste))[:, None] > weights).sum(axis=1)
        place = np.minimum(place, weights.shape[1] - 1)
        drawn = np.where(follows, world.successors[previous, place], drawn)
    return drawn


def _draw_left(
    world: World,
    taken: NDArray[np.bool_],
    taste: NDArray[np.int64],
    previous: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """As `_draw`, among the items not taken [B, items]: the same law, however little they weigh."""
    follow = 0.0 if previous is None else world.follow
    shares = (1 - follow) * world.theta[taste]
    if previous is not None:
        rows = np.arange(len(taste))[:, None]
        shares[rows, world.successors[previous]] += follow * world.successor_weights[previous]
    shares[taken] = 0.0
    cumulative = np.cumsum(shares, axis=1)
    places = rng.random(len(taste)) * cumulative[:, -1]
    return (cumulative <= places[:, None]).sum(axis=1)
