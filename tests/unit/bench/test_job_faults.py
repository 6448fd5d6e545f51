"""The check of every job finds a contender that does other work: one wrong result for each."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import numpy as np
import pytest

from seqrec.bench.contender import Contender
from seqrec.bench.jobs import JOBS
from seqrec.bench.jobs.rank import ours
from seqrec.bench.scores import scored
from seqrec.bench.shapes import Shape, Sizes, simulated_as
from seqrec.errors import ConfigError
from seqrec.evaluation import EvalConfig


def spoiled(job, spoil):
    """seqrec's contender of a job with its result changed."""
    ours = job.contenders[0]

    def call(seed):
        return spoil(*(np.asarray(found).copy() for found in ours.call(seed)))

    return Contender(name="spoiled", call=call)


def first_case(tiny, name):
    return next(iter(JOBS[name](tiny)))


def hide_nothing(users, tokens, labels):
    real = np.where(labels == -100, tokens, labels)
    return users, real, np.full_like(labels, -100)


def shift(users, inputs, targets):
    return users, inputs, np.roll(targets, 1, axis=1)


def take_positives(users, inputs, positives, _negatives):
    return users, inputs, positives, positives


def forget_the_new(users, inputs, positives, negatives):
    return users, inputs, np.zeros_like(positives), negatives


def one_vector(users, drawn):
    return users, np.zeros_like(drawn)


def miss_one(metrics):
    metrics[0] = 1 - metrics[0]
    return (metrics,)


def swap(items):
    return (items[:, ::-1],)


def next_user(offsets, codes, users, items):
    return offsets, np.roll(codes, 1), users, items


def narrow(shapes, targets):
    return shapes - 1, targets


def hide_half(shapes, targets):
    return shapes, targets // 2


@pytest.mark.parametrize(
    ("job", "spoil", "said"),
    [
        ("cloze", hide_nothing, "no hidden item"),
        ("next_item", shift, "targets"),
        ("relevance", take_positives, "is an item of user"),
        ("relevance", forget_the_new, "positives"),
        ("negatives", one_vector, "PAD"),
        ("rank", miss_one, "metrics"),
        ("top_k", swap, "scores of the list"),
        ("ingest", next_user, "is of item"),
        ("data_wait", narrow, "shapes"),
        ("data_wait", hide_half, "items are hidden"),
    ],
)
def test_a_wrong_result_is_found(job, spoil, said, tiny, few_steps):
    case = first_case(few_steps if job == "data_wait" else tiny, job)
    assert case.fault(case.contenders[0]) is None
    assert said in case.fault(spoiled(case, spoil))
    for contender in case.contenders:
        contender.close()


@pytest.fixture(scope="module")
def wide():
    """A catalogue in which hardly a target of random scores is among the ten best."""
    shape = Shape(users=300, items=20_000, events=3_000, sigma=0.5, max_seq_len=24)
    return simulated_as("wide", shape, Sizes(batch_size=32, threads=1))


def test_wrong_ranks_are_found_in_a_large_catalogue_too(wide, monkeypatch):
    monkeypatch.setattr("seqrec.bench.scores.FROM_RAM_BYTES", 1)
    case, data = first_case(wide, "rank"), next(iter(scored(wide)))
    assert case.fault(case.contenders[0]) is None
    assert "metrics" in case.fault(spoiled(case, lambda metrics: (0 * metrics,)))
    empty = dataclasses.replace(data.inputs, stops=data.inputs.starts)
    assert "metrics" in case.fault(ours(dataclasses.replace(data, inputs=empty)))


def without_table(means, table):
    return means, len(table)


def other_means(means, table):
    return means / 2, table


def one_rank(means, table):
    return means, table.assign(rank=1)


def fewer_rows(means, table):
    return means, table[1:]


def other_users(means, table):
    return means, table.assign(user_id=table["user_id"] + 1)


def without_targets(means, table):
    return means, table.drop(columns="target")


def shifted_metrics(means, table):
    return means, table.assign(**{"ndcg@10": np.roll(table["ndcg@10"], 1)})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_table, "no table of users"),
        (other_means, "means"),
        (one_rank, "rank"),
        (fewer_rows, "user_id has shape"),
        (other_users, "user_id"),
        (without_targets, "no column target"),
        (shifted_metrics, "ndcg@10"),
    ],
)
def test_a_wrong_evaluation_is_found(spoil, said, tiny):
    case = first_case(tiny, "evaluate")
    (right,) = (one for one in case.contenders if one.name == "NumPy + pandas")
    assert case.fault(right) is None
    wrong = dataclasses.replace(right, call=lambda seed: spoil(*right.call(seed)))
    assert said in case.fault(wrong)


def test_an_evaluation_without_the_filter_is_found_in_any_catalogue(tiny, wide, monkeypatch):
    def unfiltered(**options):
        return EvalConfig(**{**options, "filter_seen": False})

    monkeypatch.setattr(import_module("seqrec.bench.jobs.evaluate"), "EvalConfig", unfiltered)
    for problem in (tiny, wide):
        case = first_case(problem, "evaluate")
        assert "means" in case.fault(case.contenders[0])
        assert all(case.fault(other) is None for other in case.contenders[1:])


def test_lists_that_cannot_be_full_are_refused():
    shape = Shape(users=40, items=12, events=200, sigma=0.5, max_seq_len=24)
    with pytest.raises(ConfigError, match="everybody has 10 items left"):
        first_case(simulated_as("small", shape, Sizes(batch_size=32)), "top_k")


@pytest.mark.parametrize("job", ["rank", "top_k", "evaluate"])
def test_repeats_are_no_fault(job, tiny):
    part = tiny.sequences
    items = part.items.copy()
    for start, stop in zip(part.starts, part.stops, strict=True):
        items[start + 1 : stop : 3] = items[start]  # each user takes the first item again
    repeated = dataclasses.replace(tiny, sequences=dataclasses.replace(part, items=items))
    case = first_case(repeated, job)
    for contender in case.contenders:
        assert case.fault(contender) is None, contender.name
        contender.close()
