"""Negatives: n items for each of B users, independent draws, never one that the user has taken.

negatives int64 [B, n], uniform over the rest of the catalogue or in proportion to popularity.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.batches import NegativeConfig, Negatives
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, Work, outputs
from seqrec.bench.faults import negatives_fault, shape_fault
from seqrec.bench.filled import filled
from seqrec.bench.jit import prange
from seqrec.bench.shapes import Problem
from seqrec.data.split import item_counts

COUNTS = (1, 100, 256)
POPULAR = 100  # draws of the popularity case
LARGEST_MATRIX = 1.0  # GiB of one byte for each user and item
PYTHON_ROWS = 8  # of a batch, for the samplers in plain Python
TWIN_ROWS = 1

Users = list[NDArray[np.int32]]
Draws = tuple[NDArray[np.int32], Any]  # users, negatives


def negatives(problem: Problem) -> Iterator[Job]:
    """Draws a second, in millions: uniform with n = 1, 100 and 256, and by popularity."""
    users = problem.batches()
    for n in COUNTS:
        lineup = Lineup(ours(problem, users, NegativeConfig(num_negatives=n)))
        _add_compiled(lineup, problem, users, n)
        lineup.made.append(_numpy_keys(problem, users, n))
        large = _too_large(problem)
        lineup.add("NumPy, matrix", large, partial(_numpy_matrix, problem, users, n))
        lineup.made.append(_python(problem, users, n))
        lineup.add(twin.NAME, twin.why_not(), partial(_twin, problem, users, n))
        yield _job(f"n={n}", problem, lineup, n, np.ones(problem.n_items))
    weights = item_counts(problem.sequences, problem.n_items).astype(np.float64)
    config = NegativeConfig(num_negatives=POPULAR, neg_sampling="popularity")
    lineup = Lineup(ours(problem, users, config))
    lineup.add("numba", jit.why_not(), lambda: _numba_popular(problem, users, weights))
    lineup.made.append(_numpy_popular(problem, users, weights))
    yield _job(f"n={POPULAR}, popularity", problem, lineup, POPULAR, weights)


def _job(case: str, problem: Problem, lineup: Lineup, n: int, weights: NDArray[np.float64]) -> Job:
    size = problem.sizes.batch_size * n
    million = 1e6  # a unit is a million draws
    return Job(
        name="negatives",
        case=case,
        unit="M draws/s",
        contenders=lineup.made,
        absent=lineup.absent,
        fault=partial(_fault, problem=problem, n=n, weights=weights),
        work=Work(writes=8 * million, draws=million, resident=8 * size),
    )


def _fault(
    contender: Contender, problem: Problem, n: int, weights: NDArray[np.float64]
) -> str | None:
    made = outputs(contender, range(1, 4 if n > 1 else 12))
    for users, drawn in made:
        fault = shape_fault("negatives", drawn, (len(users), n))
        if fault is not None:
            return fault
        if (drawn == 0).any():
            return "a negative is PAD"
    users, batches = [users for users, _ in made], [drawn for _, drawn in made]
    return negatives_fault(batches, users, problem.sequences, weights)


def _millions(users: Users, n: int) -> float:
    return len(users[0]) * n / 1e6


def ours(problem: Problem, users: Users, config: NegativeConfig) -> Contender:
    """The sampler of a sampled loss."""
    sampler = Negatives(problem.sequences, problem.n_items, config)
    units = _millions(users, config.num_negatives)
    return filled(lambda share, buffers: (sampler.fill(share, buffers),), users, units=units)


def _add_compiled(lineup: Lineup, problem: Problem, users: Users, n: int) -> None:
    part = problem.sequences
    sets = _core.sorted_sets(part.items, part.starts, part.stops)
    for name, draw in (("numba", draw_searching), ("numba, table", draw_marking)):
        lineup.add(name, jit.why_not(), partial(_numba, name, draw, sets, problem, users, n))


def _numba(name: str, draw: Any, sets: Any, problem: Problem, users: Users, n: int) -> Contender:
    drawn, n_items = np.empty((len(users[0]), n), dtype=np.int64), np.uint64(problem.n_items)

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)]
        draw(*sets, chosen, n_items, np.uint64(seed), drawn)
        return chosen, drawn

    searched = "binary search in the history" if name == "numba" else "a byte for each item"
    return Contender(
        name=name, call=call, package="numba", units=_millions(users, n), note=searched
    )


def _numba_popular(problem: Problem, users: Users, weights: NDArray[np.float64]) -> Contender:
    part = problem.sequences
    sets = _core.sorted_sets(part.items, part.starts, part.stops)
    columns = _core.alias_table(weights)
    thresholds = columns >> np.uint64(32) << np.uint64(32)  # of 64-bit places
    aliases = columns.astype(np.uint32).astype(np.int32)
    drawn = np.empty((len(users[0]), POPULAR), dtype=np.int64)

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)]
        draw_aliased(*sets, thresholds, aliases, chosen, np.uint64(seed), drawn)
        return chosen, drawn

    return Contender(
        name="numba", call=call, package="numba", units=_millions(users, POPULAR),
        note="alias table, binary search",
    )  # fmt: skip


class SortedKeys:
    """Whole-batch NumPy: a draw is taken if user * (N + 1) + item is among the sorted keys."""

    def __init__(self, problem: Problem) -> None:
        part, self.width = problem.sequences, problem.n_items + 1
        rows, places = part.places()
        self.keys = np.unique(rows * self.width + part.items[places])
        self.rng = np.random.default_rng(problem.sizes.seed)
        self.shares: NDArray[np.float64] | None = None  # cumulative; None: uniform

    def draw(self, users: NDArray[np.int32]) -> NDArray[np.int64]:
        """One item for each of the users, who may occur often."""
        drawn = self._any(len(users))
        left = np.flatnonzero(self._taken(users, drawn))
        while len(left):
            drawn[left] = self._any(len(left))
            left = left[self._taken(users[left], drawn[left])]
        return drawn

    def _any(self, n: int) -> NDArray[np.int64]:
        if self.shares is None:
            return self.rng.integers(1, self.width, size=n)
        return 1 + np.searchsorted(self.shares, self.rng.random(n) * self.shares[-1], "right")

    def _taken(self, users: NDArray[np.int32], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        wanted = users.astype(np.int64) * self.width + items
        at = np.searchsorted(self.keys, wanted)
        return self.keys[np.minimum(at, len(self.keys) - 1)] == wanted


def _numpy_keys(problem: Problem, users: Users, n: int) -> Contender:
    sampler = SortedKeys(problem)

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)]
        return chosen, sampler.draw(np.repeat(chosen, n)).reshape(-1, n)

    return Contender(
        name="NumPy, sorted keys", call=call, units=_millions(users, n), note="(user, item) keys"
    )


def _numpy_popular(problem: Problem, users: Users, weights: NDArray[np.float64]) -> Contender:
    sampler = SortedKeys(problem)
    sampler.shares = np.cumsum(weights)

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)]
        return chosen, sampler.draw(np.repeat(chosen, POPULAR)).reshape(-1, POPULAR)

    return Contender(
        name="NumPy, sorted keys", call=call, units=_millions(users, POPULAR),
        note="cumulative counts",
    )  # fmt: skip


def _too_large(problem: Problem) -> str | None:
    gib = problem.sequences.n_users * (problem.n_items + 1) / 2**30
    return f"the matrix would take {gib:.0f} GiB" if gib > LARGEST_MATRIX else None


def _numpy_matrix(problem: Problem, users: Users, n: int) -> Contender:
    """Whole-batch NumPy with a byte for each user and item."""
    part = problem.sequences
    taken = np.zeros((part.n_users, problem.n_items + 1), dtype=np.bool_)
    rows, places = part.places()
    taken[rows, part.items[places]] = True
    rng = np.random.default_rng(problem.sizes.seed)

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)]
        drawn = rng.integers(1, problem.n_items + 1, size=(len(chosen), n))
        rows, columns = np.nonzero(taken[chosen[:, None], drawn])
        while len(rows):
            again = rng.integers(1, problem.n_items + 1, size=len(rows))
            drawn[rows, columns] = again
            still = taken[chosen[rows], again]
            rows, columns = rows[still], columns[still]
        return chosen, drawn

    return Contender(
        name="NumPy, matrix", call=call, units=_millions(users, n), note="a byte for each pair"
    )


def _python(problem: Problem, users: Users, n: int) -> Contender:
    """A set for each user, and one draw after another."""
    import random

    sets = [set(problem.sequences.user(u).tolist()) for u in range(problem.sequences.n_users)]
    draw, most = random.Random(problem.sizes.seed).randint, problem.n_items  # noqa: S311
    rows = min(PYTHON_ROWS, len(users[0]))

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)][:rows]
        drawn = np.empty((rows, n), dtype=np.int64)
        for row, user in enumerate(chosen.tolist()):
            taken = sets[user]
            for place in range(n):
                item = draw(1, most)
                while item in taken:
                    item = draw(1, most)
                drawn[row, place] = item
        return chosen, drawn

    return Contender(name="Python, sets", call=call, units=rows * n / 1e6, package="")


def _twin(problem: Problem, users: Users, n: int) -> Contender:
    uniform, stream = twin.part("negatives").uniform, twin.part("seed").Stream
    purpose = twin.part("seed").NEGATIVE

    def call(seed: int) -> Draws:
        chosen = users[seed % len(users)][:TWIN_ROWS]
        rows = []
        for user in chosen.tolist():
            taken, draws = (
                set(problem.sequences.user(user).tolist()),
                stream(0, seed, user, 0, purpose),
            )
            rows.append([uniform(problem.n_items, taken, draws) for _ in range(n)])
        return chosen, np.array(rows)

    return Contender(name=twin.NAME, call=call, package="seqrec", units=TWIN_ROWS * n / 1e6)


@jit.parallel
def draw_searching(
    offsets: Any, members: Any, users: Any, n_items: Any, seed: Any, drawn: Any
) -> None:
    """A draw is looked up in the sorted items of its user."""
    for row in prange(len(users)):
        taken = members[offsets[users[row]] : offsets[users[row] + 1]]
        state = jit.mix(seed * jit.GOLDEN + np.uint64(row))
        for place in range(drawn.shape[1]):
            while True:
                state += jit.GOLDEN
                item = np.int64(jit.below(jit.mix(state), n_items)) + 1
                at = np.searchsorted(taken, item)
                if at == len(taken) or taken[at] != item:
                    break
            drawn[row, place] = item


@jit.parallel
def draw_marking(
    offsets: Any, members: Any, users: Any, n_items: Any, seed: Any, drawn: Any
) -> None:
    """Each row marks what its user has taken in a table of its own."""
    for row in prange(len(users)):
        taken = members[offsets[users[row]] : offsets[users[row] + 1]]
        marks = np.zeros(np.int64(n_items) + 1, dtype=np.uint8)
        for member in taken:
            marks[member] = 1
        state = jit.mix(seed * jit.GOLDEN + np.uint64(row))
        for place in range(drawn.shape[1]):
            while True:
                state += jit.GOLDEN
                item = np.int64(jit.below(jit.mix(state), n_items)) + 1
                if marks[item] == 0:
                    break
            drawn[row, place] = item


@jit.parallel
def draw_aliased(
    offsets: Any, members: Any, thresholds: Any, aliases: Any, users: Any, seed: Any, drawn: Any
) -> None:
    """A column of the alias table, and its item or the item's alias."""
    columns = np.uint64(len(thresholds))
    for row in prange(len(users)):
        taken = members[offsets[users[row]] : offsets[users[row] + 1]]
        state = jit.mix(seed * jit.GOLDEN + np.uint64(row))
        for place in range(drawn.shape[1]):
            while True:
                column = jit.below(jit.mix(state + jit.GOLDEN), columns)
                state += jit.GOLDEN + jit.GOLDEN
                own = jit.mix(state) < thresholds[column]
                item = np.int64(column) + 1 if own else np.int64(aliases[column])
                at = np.searchsorted(taken, item)
                if at == len(taken) or taken[at] != item:
                    break
            drawn[row, place] = item
