"""Turns, seeds and samples."""

from __future__ import annotations

from itertools import groupby

from seqrec.bench.contender import Contender
from seqrec.bench.timing import measure


def recorded(names, **options):
    """Contenders that write down who was called with which seed."""
    calls = []
    made = [
        Contender(name=name, call=lambda seed, name=name: calls.append((name, seed)), **options)
        for name in names
    ]
    return calls, made


def test_no_two_calls_have_the_same_seed():
    calls, made = recorded("abc")
    measure(made, 3, sample_seconds=1e-5)
    seeds = [seed for _, seed in calls]
    assert len(set(seeds)) == len(seeds)


def test_contenders_take_turns_and_another_begins_each_round():
    calls, made = recorded("abc")
    measure(made, 3, sample_seconds=1e-5)
    turns = "".join(name for name, _ in groupby(name for name, _ in calls))
    assert turns == "abcabcbcacab"  # the first three find out how many calls a sample has


def test_a_rate_counts_the_units_of_a_call():
    _, (one,) = recorded("a")
    _, (thousand,) = recorded("a", units=1000.0)
    rates = [measure([contender], 7, sample_seconds=1e-3)["a"] for contender in (one, thousand)]
    assert 100 < max(rates[1]) / max(rates[0]) < 10_000


def test_what_workers_made_ahead_is_not_counted():
    calls, made = recorded("a", drain=4, processes=2)
    measure(made, 1, sample_seconds=1e-9)
    found_out = 2  # one call to warm up, one to find out how many calls a sample has
    assert len(calls) >= found_out + 4 + 1
