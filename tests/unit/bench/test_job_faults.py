"""The check of every job finds a contender that does other work: one wrong result for each."""

from __future__ import annotations

import numpy as np
import pytest

from seqrec.bench.contender import Contender
from seqrec.bench.jobs import JOBS


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


def other_means(means, rows):
    return means / 2, rows


def fewer_rows(means, rows):
    return means, rows - 1


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
        ("evaluate", other_means, "means"),
        ("evaluate", fewer_rows, "rows"),
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
