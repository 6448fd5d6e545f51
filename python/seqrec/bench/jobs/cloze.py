"""A cloze batch: the last L items of each user, padded on the left, some of them hidden.

tokens and labels int64 [B, L]; each item is hidden with probability 0.2, and at least one of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec.batches import Buffers, ClozeConfig, ClozeRows, Share, WindowConfig
from seqrec.bench import jit, twin
from seqrec.bench.contender import Contender, Job, Lineup, Work, outputs
from seqrec.bench.faults import cloze_fault
from seqrec.bench.filled import filled
from seqrec.bench.jit import prange
from seqrec.bench.samples import loaders
from seqrec.bench.shapes import Problem
from seqrec.tokens import IGNORE, PAD, mask_token

MASK_PROB = 0.2
TWIN_ROWS = 8  # of a batch: plain Python is slow, and its rate does not depend on how many

Users = list[NDArray[np.int32]]
Batch = tuple[NDArray[np.int32], Any, Any]  # users, tokens, labels: arrays or tensors


def cloze(problem: Problem) -> Iterator[Job]:
    """Batches a second."""
    users = problem.batches()
    lineup = Lineup(ours(problem, users))
    lineup.add("numba", jit.why_not(), lambda: _numba(problem, users))
    lineup.add("NumPy, whole batch", problem.too_large_to_pad(), lambda: _numpy(problem, users))
    lineup.add("torch, whole batch", problem.too_large_to_pad(), lambda: _torch(problem, users))
    lineup.made += loaders(problem, users, _PerSample(problem))
    lineup.add(twin.NAME, twin.why_not(), lambda: _twin(problem, users))
    size = problem.sizes.batch_size * problem.max_seq_len
    yield Job(
        name="cloze",
        unit="batches/s",
        contenders=lineup.made,
        absent=lineup.absent,
        fault=partial(_fault, problem=problem),
        work=Work(reads=4 * size, writes=16 * size, draws=size / 2, resident=16 * size),
    )


def _fault(contender: Contender, problem: Problem) -> str | None:
    made = outputs(contender, (1, 2, 3))
    batches = [(tokens, labels) for _, tokens, labels in made]
    windows = [problem.last_items(users, problem.max_seq_len, left=True) for users, _, _ in made]
    return cloze_fault(batches, windows, problem.n_items, MASK_PROB)


def ours(problem: Problem, users: Users) -> Contender:
    """The rows of a `BatchStream`, filled in turn."""
    rows = ClozeRows(
        problem.sequences,
        problem.n_items,
        WindowConfig(windows="last", max_seq_len=problem.max_seq_len),
        ClozeConfig(mask_prob=MASK_PROB, last_only_prob=0.0),
    )

    def fill(share: Share, buffers: Buffers) -> tuple[Any, Any]:
        batch = rows.fill(share, buffers)
        return batch.tokens, batch.labels

    return filled(fill, users, width=problem.max_seq_len)


def _numba(problem: Problem, users: Users) -> Contender:
    part, shape = problem.sequences, (len(users[0]), problem.max_seq_len)
    tokens, labels = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    threshold = np.uint64(MASK_PROB * 2**32)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        fill_cloze(
            part.items, part.starts, part.stops, chosen, mask_token(problem.n_items), threshold,
            np.uint64(seed), tokens, labels,
        )  # fmt: skip
        return chosen, tokens, labels

    return Contender(name="numba", call=call, package="numba")


def _numpy(problem: Problem, users: Users) -> Contender:
    table = problem.padded(problem.max_seq_len, left=True)
    rng, mask = np.random.default_rng(problem.sizes.seed), mask_token(problem.n_items)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        window = table[chosen]
        real = window != PAD
        hidden = (rng.random(window.shape, dtype=np.float32) < MASK_PROB) & real
        bare = np.flatnonzero(~hidden.any(axis=1))
        if len(bare):
            lengths = real[bare].sum(axis=1)
            hidden[bare, window.shape[1] - 1 - rng.integers(lengths)] = True
        return chosen, np.where(hidden, mask, window), np.where(hidden, window, IGNORE)

    return Contender(name="NumPy, whole batch", call=call, note="histories padded beforehand")


def _torch(problem: Problem, users: Users) -> Contender:
    generator = torch.Generator().manual_seed(problem.sizes.seed)
    rows = torch.from_numpy(problem.padded(problem.max_seq_len, left=True))
    mask = mask_token(problem.n_items)

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)]
        window = rows.index_select(0, torch.from_numpy(chosen))
        real = window != PAD
        hidden = torch.rand(window.shape, generator=generator) < MASK_PROB
        hidden &= real
        bare = (~hidden.any(dim=1)).nonzero().squeeze(1)
        if len(bare):
            back = torch.rand(len(bare), generator=generator) * real[bare].sum(dim=1)
            hidden[bare, window.shape[1] - 1 - back.long()] = True
        return chosen, window.masked_fill(hidden, mask), window.masked_fill(~hidden, IGNORE)

    return Contender(
        name="torch, whole batch", call=call, package="torch", note="histories padded beforehand"
    )


class _PerSample:
    """One row with NumPy: what most code does."""

    def __init__(self, problem: Problem) -> None:
        self.width, self.mask = problem.max_seq_len, mask_token(problem.n_items)

    def __call__(
        self, history: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        window = history[-self.width :]
        hidden = rng.random(len(window)) < MASK_PROB
        if not hidden.any():
            hidden[rng.integers(len(window))] = True
        tokens = np.full(self.width, PAD, dtype=np.int64)
        labels = np.full(self.width, IGNORE, dtype=np.int64)
        tokens[-len(window) :] = np.where(hidden, self.mask, window)
        labels[-len(window) :] = np.where(hidden, window, IGNORE)
        return tokens, labels


def _twin(problem: Problem, users: Users) -> Contender:
    row = twin.part("cloze").row
    options = twin.part("cloze").Cloze(
        n_items=problem.n_items, mask_prob=MASK_PROB, last_only_prob=0.0, keep_prob=0.0,
        random_prob=0.0,
    )  # fmt: skip
    width = problem.max_seq_len

    def call(seed: int) -> Batch:
        chosen = users[seed % len(users)][:TWIN_ROWS]
        made = [
            row(problem.sequences.user(u)[-width:].tolist(), width, options, (0, seed, u, 0))
            for u in chosen.tolist()
        ]
        tokens, labels = zip(*made, strict=True)
        return chosen, np.array(tokens), np.array(labels)

    share = min(TWIN_ROWS, len(users[0])) / len(users[0])
    return Contender(name=twin.NAME, call=call, package="seqrec", units=share)


@jit.parallel
def fill_cloze(
    items: Any,
    starts: Any,
    stops: Any,
    users: Any,
    mask: int,
    threshold: Any,
    seed: Any,
    tokens: Any,
    labels: Any,
) -> None:
    """A pass over each row: two 32-bit draws from each 64 bits, selects instead of branches."""
    width = tokens.shape[1]
    for row in prange(len(users)):
        user = users[row]
        n = min(width, stops[user] - starts[user])
        first, pad = stops[user] - n, width - n
        tokens[row, :pad] = 0
        labels[row, :pad] = -100
        state = jit.mix(seed * jit.GOLDEN + np.uint64(row))
        bits = state
        hidden = 0
        for place in range(n):
            if place & 1 == 0:
                state += jit.GOLDEN
                bits = jit.mix(state)
                draw = bits >> jit.HALF
            else:
                draw = jit.low(bits)
            item = items[first + place]
            hide = draw < threshold
            tokens[row, pad + place] = mask if hide else item
            labels[row, pad + place] = item if hide else -100
            hidden += hide
        if hidden == 0 and n > 0:
            place = pad + np.int64(jit.below(jit.mix(state + jit.GOLDEN), np.uint64(n)))
            labels[row, place] = tokens[row, place]
            tokens[row, place] = mask
