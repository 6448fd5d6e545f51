"""Rates, by the rules that keep them comparable.

Contenders take turns in every round, in another order each time, so that a drift of the machine
meets all alike. A sample is as many calls as take about 60 ms, after some that are not counted:
what is timed is a hot loop. A rest of the same length follows it, in which OpenMP's threads stop to
spin and worker processes fill up their queues. Every call has a seed of its own: a branch predictor
that has seen the same draws before has learned the answers.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqrec.bench.contender import Contender

SAMPLE_SECONDS = 0.06
WARM_SHARE = 0.15  # of a sample, before it


def measure(
    contenders: Sequence[Contender],
    rounds: int,
    sample_seconds: float = SAMPLE_SECONDS,
) -> dict[str, NDArray[np.float64]]:
    """Units a second of each contender in each round: float64 [rounds]."""
    seeds = itertools.count(1_000)
    calls = {c.name: _calls_in(c, seeds, sample_seconds) for c in contenders}
    rates = {c.name: np.empty(rounds) for c in contenders}
    for turn in range(rounds):
        first = turn % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            name = contender.name
            rates[name][turn] = contender.units * _sample(contender, calls[name], seeds)
            time.sleep(sample_seconds)
    return rates


def _calls_in(contender: Contender, seeds: Iterator[int], seconds: float) -> int:
    """How many calls take so long, by the fastest of some; the first one may compile."""
    contender.call(next(seeds))
    fastest, spent = float("inf"), 0.0
    for _ in range(50):
        start = time.perf_counter()
        contender.call(next(seeds))
        taken = time.perf_counter() - start
        fastest, spent = min(fastest, taken), spent + taken
        if spent > seconds / 2:
            break
    return max(1, round(seconds / max(fastest, 1e-7)))


def _sample(contender: Contender, calls: int, seeds: Iterator[int]) -> float:
    """Calls a second over one sample."""
    call = contender.call
    warm = contender.drain or (int(calls * WARM_SHARE) + 1 if calls > 1 else 0)
    for seed in itertools.islice(seeds, warm):
        call(seed)
    counted = list(itertools.islice(seeds, calls))
    gc.disable()
    try:
        start = time.perf_counter()
        for seed in counted:
            call(seed)
        taken = time.perf_counter() - start
    finally:
        gc.enable()
    return calls / taken
