"""A relevance batch: inputs, the items after them, and for each of those a negative.

inputs, positives and negatives int64 [B, L], real items first and PAD behind them. A negative is a
uniform item that the user has not taken. (Nobody takes an item twice in a simulated shape; on other
data a target that its user has taken before is no positive, and has no negative.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.batches import Buffers, Negatives, RelevanceSequenceRows, Share, WindowConfig
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, Work, outputs
from seqrec.bench.faults import equal_fault, negatives_fault, shape_fault
from seqrec.bench.filled import filled
from seqrec.bench.jit import prange
from seqrec.bench.jobs.negatives import SortedKeys
from seqrec.bench.jobs.next_item import expected
from seqrec.bench.samples import loaders
from seqrec.bench.shapes import Problem
from seqrec.tokens import PAD

TWIN_ROWS = 1

Users = list[NDArray[np.int32]]
Batch = tuple[NDArray[np.int32], Any, Any, Any]  # users, inputs, positives, negatives


def relevance(problem: Problem) -> Iterator[Job]:
    """Batches a second."""
    users = problem.batches()
    part = problem.sequences
    first = _core.first_occurrences(part.items, part.starts, part.stops)
    lineup = Lineup(ours(problem, users))
    lineup.add("numba", jit.why_not(), lambda: _numba(problem, users, first))
    large = problem.too_large_to_pad()
    lineup.add("NumPy, whole batch", large, lambda: _numpy(problem, users, first))
    lineup.made += loaders(problem, users, _PerSample(problem))
    lineup.add(twin.NAME, twin.why_not(), lambda: _twin(problem, users, first))
    size = problem.sizes.batch_size * problem.max_seq_len
    filled = float(
        np.mean([np.minimum(part.lengths[u] - 1, problem.max_seq_len).sum() for u in users])
    )
    yield Job(
        name="relevance",
        unit="batches/s",
        contenders=lineup.made,
        absent=lineup.absent,
        fault=partial(_fault, problem=problem, first=first),
        work=Work(reads=4 * size, writes=24 * size, draws=filled, resident=24 * size),
    )


def _positives(
    problem: Problem, users: NDArray[np.int32], first: NDArray[np.uint8]
) -> NDArray[Any]:
    """The items after the inputs, PAD where their user has taken them before: [len(users), L]."""
    _, items = expected(problem, users)
    marks = Problem.last_items(_marked(problem, first), users, problem.max_seq_len + 1, left=False)
    return np.where(marks[:, 1:] == 1, items, PAD)


def _marked(problem: Problem, first: NDArray[np.uint8]) -> Problem:
    """The problem with marks in place of items."""
    part = problem.sequences
    marks = type(part)(first.astype(np.int32), part.starts, part.stops)
    return Problem(
        shape=problem.shape, sequences=marks, times=problem.times, n_items=problem.n_items,
        max_seq_len=problem.max_seq_len, sizes=problem.sizes,
    )  # fmt: skip


def _fault(contender: Contender, problem: Problem, first: NDArray[np.uint8]) -> str | None:
    batches, chosen = [], []
    for users, inputs, positives, negatives in outputs(contender, (1, 2, 3)):
        wanted = expected(problem, users)[0]
        fault = shape_fault("inputs", inputs, wanted.shape) or equal_fault("inputs", inputs, wanted)
        wanted = _positives(problem, users, first)
        fault = fault or shape_fault("positives", positives, wanted.shape)
        fault = fault or equal_fault("positives", positives, wanted)
        fault = fault or shape_fault("negatives", negatives, wanted.shape)
        fault = fault or equal_fault("places of negatives", negatives != PAD, wanted != PAD)
        if fault:
            return fault
        batches.append(negatives)
        chosen.append(users)
    return negatives_fault(batches, chosen, problem.sequences, np.ones(problem.n_items))


def ours(problem: Problem, users: Users) -> Contender:
    """The rows of a `BatchStream`, filled in turn."""
    rows = RelevanceSequenceRows(
        problem.sequences,
        Negatives(problem.sequences, problem.n_items),
        WindowConfig(windows="last", max_seq_len=problem.max_seq_len),
    )

    def fill(share: Share, buffers: Buffers) -> tuple[Any, Any, Any]:
        batch = rows.fill(share, buffers)
        return batch.inputs, batch.positives, batch.negatives

    return filled(fill, users, width=problem.max_seq_len)


def _numba(problem: Problem, users: Users, first: NDArray[np.uint8]) -> Contender:
    part, shape = problem.sequences, (len(users[0]), problem.max_seq_len)
    inputs, positives, negatives = (np.empty(shape, dtype=np.int64) for _ in range(3))
    sets = _core.sorted_sets(part.items, part.starts, part.stops)
    n_items = np.uint64(problem.n_items)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        fill_relevance(
            part.items, part.starts, part.stops, first, *sets, chosen, n_items, np.uint64(seed),
            inputs, positives, negatives,
        )  # fmt: skip
        return chosen, inputs, positives, negatives

    return Contender(name="numba", call=call, package="numba")


def _numpy(problem: Problem, users: Users, first: NDArray[np.uint8]) -> Contender:
    """Inputs and positives are gathers of what was made beforehand."""
    everybody = np.arange(problem.sequences.n_users, dtype=np.int32)
    all_inputs, _ = expected(problem, everybody)
    all_positives = _positives(problem, everybody, first)
    sampler = SortedKeys(problem)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        positives = all_positives[chosen]
        rows, columns = np.nonzero(positives)
        negatives = np.zeros_like(positives)
        negatives[rows, columns] = sampler.draw(chosen[rows])
        return chosen, all_inputs[chosen], positives, negatives

    return Contender(
        name="NumPy, whole batch", call=call, note="rows made beforehand, sorted (user, item) keys"
    )


class _PerSample:
    """One row with NumPy; negatives are drawn again until none is in the history."""

    def __init__(self, problem: Problem) -> None:
        self.width, self.n_items = problem.max_seq_len, problem.n_items

    def __call__(
        self, history: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], ...]:
        width = self.width
        n = min(len(history) - 1, width)
        inputs, positives, negatives = np.full((3, width), PAD, dtype=np.int64)
        inputs[:n] = history[-n - 1 : -1]
        _, places = np.unique(history, return_index=True)
        new = np.isin(np.arange(len(history) - n, len(history)), places)
        positives[:n] = np.where(new, history[-n:], PAD)
        drawn = rng.integers(1, self.n_items + 1, size=n)
        while (taken := np.isin(drawn, history)).any():
            drawn[taken] = rng.integers(1, self.n_items + 1, size=int(taken.sum()))
        negatives[:n] = np.where(new, drawn, PAD)
        return inputs, positives, negatives


def _twin(problem: Problem, users: Users, first: NDArray[np.uint8]) -> Contender:
    row, uniform = twin.part("relevance").sequence_row, twin.part("negatives").uniform
    part, width = problem.sequences, problem.max_seq_len

    def made(user: int, seed: int) -> Any:
        start = max(part.stops[user] - width - 1, part.starts[user])
        window = slice(start, part.stops[user])
        return row(
            part.items[window].tolist(), first[window].tolist(), set(part.user(user).tolist()),
            partial(uniform, problem.n_items), width, (0, seed, user, 0),
        )  # fmt: skip

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)][:TWIN_ROWS]
        columns = zip(*(made(user, seed) for user in chosen.tolist()), strict=True)
        inputs, positives, negatives = map(np.array, columns)
        return chosen, inputs, positives, negatives

    share = TWIN_ROWS / len(users[0])
    return Contender(name=twin.NAME, call=call, package="seqrec", units=share)


@jit.parallel
def fill_relevance(
    items: Any, starts: Any, stops: Any, first: Any, offsets: Any, members: Any, users: Any,
    n_items: Any, seed: Any, inputs: Any, positives: Any, negatives: Any,
) -> None:  # fmt: skip
    """A pass over each row; a draw is looked up in the sorted items of its user."""
    width = inputs.shape[1]
    for row in prange(len(users)):
        user = users[row]
        taken = members[offsets[user] : offsets[user + 1]]
        n = min(width + 1, stops[user] - starts[user])
        begin = stops[user] - n
        state = jit.mix(seed * jit.GOLDEN + np.uint64(row))
        for place in range(n - 1):
            inputs[row, place] = items[begin + place]
            if first[begin + place + 1] == 0:
                positives[row, place] = 0
                negatives[row, place] = 0
                continue
            positives[row, place] = items[begin + place + 1]
            while True:
                state += jit.GOLDEN
                item = np.int64(jit.below(jit.mix(state), n_items)) + 1
                at = np.searchsorted(taken, item)
                if at == len(taken) or taken[at] != item:
                    break
            negatives[row, place] = item
        inputs[row, max(n - 1, 0) :] = 0
        positives[row, max(n - 1, 0) :] = 0
        negatives[row, max(n - 1, 0) :] = 0
