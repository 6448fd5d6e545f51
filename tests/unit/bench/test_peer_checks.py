"""What the checks of benches/peers find: wrong contenders, one for each thing that is asked."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from seqrec.bench.shapes import SHAPES, Shape

PEERS = Path(__file__).parents[3] / "benches" / "peers"


@pytest.fixture(scope="module")
def checks():
    sys.path.insert(0, str(PEERS))
    yield import_module("checks")
    sys.path.remove(str(PEERS))


@pytest.fixture(scope="module")
def ask(checks, tmp_path_factory):
    """The input of a job at a tiny shape."""
    folder = import_module("inputs").make(tmp_path_factory.mktemp("input"), "tiny", 256)

    def problem(job, case=""):
        return import_module("problem").Problem(folder=folder, job=job, case=case, threads=1)

    return problem


@pytest.fixture(scope="module")
def wide(checks, tmp_path_factory):
    """The input of a job at a shape whose users have taken hardly any of the catalogue."""
    shape = Shape(users=300, items=20_000, events=3_000, sigma=0.5, max_seq_len=24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHAPES, "wide", shape)
        folder = import_module("inputs").make(tmp_path_factory.mktemp("input"), "wide", 256)

    def problem(job):
        made = import_module("problem").Problem(folder=folder, job=job, case="", threads=1)
        return made, checks, import_module("ranks").metrics_of

    return problem


def free(problem, user):
    return np.setdiff1d(np.arange(1, problem.n_items + 1), problem.history(user))


def draws(problem, draw):
    """Two calls: `draw` gives a row from the items that are free for a user."""
    batches = problem.batches()[:2]
    return [np.array([draw(free(problem, user)) for user in users]) for users in batches]


def uniform(n, seed=0):
    rng = np.random.default_rng(seed)
    return lambda items: rng.choice(items, n)


@pytest.mark.parametrize("n", [1, 100])
def test_right_negatives_have_no_fault(n, checks, ask):
    problem = ask("negatives", f"n={n}")
    assert checks.negatives_fault(draws(problem, uniform(n)), problem, n) is None


def test_uniform_negatives_are_not_drawn_by_popularity(checks, ask):
    problem = ask("negatives", "n=100, popularity")
    fault = checks.negatives_fault(draws(problem, uniform(100)), problem, 100)
    assert "not distributed" in fault


def test_one_negative_again_and_again_is_a_fault(checks, ask):
    problem, one = ask("negatives", "n=100"), uniform(1)
    found = draws(problem, lambda items: np.repeat(one(items), 100))
    assert "not distributed" in checks.negatives_fault(found, problem, 100)


@pytest.mark.parametrize("n", [1, 100])
def test_calls_that_draw_the_same_are_a_fault(n, checks, ask, monkeypatch):
    problem = ask("negatives", f"n={n}")
    users = problem.batches()[0]
    monkeypatch.setattr(type(problem), "batches", lambda _: [users, users])
    first, _ = draws(problem, uniform(n))
    assert "two calls are the same" in checks.negatives_fault([first, first], problem, n)


def test_a_sampler_that_gives_up_may_return_as_many_positives_as_its_tries_leave(checks, ask):
    problem, rng = ask("negatives", "n=100"), np.random.default_rng(0)

    def tried(users, tries):
        found = rng.integers(1, problem.n_items + 1, size=(len(users), 100))
        for _ in range(tries - 1):
            for row, user in zip(found, users, strict=True):
                again = np.isin(row, problem.history(user))
                row[again] = rng.integers(1, problem.n_items + 1, size=again.sum())
        return found

    twice = [tried(users, 2) for users in problem.batches()[:2]]
    assert checks.negatives_fault(twice, problem, 100, tries=2) is None
    assert "items that their user has taken" in checks.negatives_fault(twice, problem, 100, tries=3)
    assert "items that their user has taken" in checks.negatives_fault(twice, problem, 100)


def windows(problem, width, rows=256, users=None):
    """The last `width` items of users that an epoch might have first."""
    chosen = np.random.default_rng(0).permutation(problem.n_users) if users is None else users
    return [problem.history(user)[-width:] for user in chosen[:rows]]


def masked(rows, seed=0):
    """Which items are hidden, one at least."""
    rng = np.random.default_rng(seed)
    hidden = [rng.random(len(row)) < 0.2 for row in rows]
    for row in hidden:
        row[-1] |= not row.any()
    return hidden


def shifted(rows):
    return [row[:-1] for row in rows], [row[1:] for row in rows]


def test_right_batches_have_no_fault(checks, ask):
    problem = ask("cloze")
    rows = windows(problem, problem.max_seq_len)
    assert checks.cloze_fault(rows, masked(rows), problem) is None
    problem = ask("next_item")
    rows = windows(problem, problem.max_seq_len + 1)
    assert checks.next_item_fault(*shifted(rows), problem) is None


def test_fewer_rows_are_a_fault(checks, ask):
    problem = ask("cloze")
    rows = windows(problem, problem.max_seq_len, rows=16)
    assert checks.cloze_fault(rows, masked(rows), problem) == "16 rows, not 256"


@pytest.mark.parametrize("job", ["cloze", "next_item"])
def test_shorter_rows_are_a_fault(job, checks, ask):
    problem = ask(job)
    rows = windows(problem, problem.max_seq_len - (job == "cloze"))
    longer = problem.max_seq_len + (job == "next_item")
    assert f"up to {longer} are asked for" in checks.windows_fault(rows, problem)


@pytest.mark.parametrize("prefixes", [False, True])
def test_one_user_again_and_again_is_a_fault(prefixes, checks, ask):
    problem = ask("cloze")
    rows = windows(problem, problem.max_seq_len, users=np.zeros(256, dtype=np.int64))
    assert "the rows are of 1 users" in checks.windows_fault(rows, problem, prefixes=prefixes)


def test_rows_of_every_prefix_are_allowed_to_who_makes_them(checks, ask):
    problem, rng = ask("next_item"), np.random.default_rng(0)
    width = problem.max_seq_len + 1
    places = rng.permutation(len(problem.items))
    before = places - problem.offsets[problem.users[places]]
    stops = places[before > 0][:256] + 1
    starts = np.maximum(problem.offsets[problem.users[stops - 1]], stops - width)
    rows = [problem.items[a:b] for a, b in zip(starts, stops, strict=True)]
    inputs, targets = shifted(rows)
    last = [row[-1:] for row in targets]
    assert checks.next_item_fault(inputs, last, problem, prefixes=True) is None
    assert "targets" in checks.next_item_fault(inputs, last, problem)
    assert "not the end of a history" in checks.next_item_fault(inputs, targets, problem)


def test_one_wrong_target_is_a_fault(checks, ask):
    problem = ask("next_item")
    inputs, targets = shifted(windows(problem, problem.max_seq_len + 1))
    targets[5] = np.append(targets[5][1], targets[5][1:])
    assert "are not the items after" in checks.next_item_fault(inputs, targets, problem)


def test_wrong_masks_are_faults(checks, ask):
    problem = ask("cloze")
    rows = windows(problem, problem.max_seq_len)
    few = [hidden & (np.arange(len(hidden)) % 2 == 0) for hidden in masked(rows)]
    assert "items are hidden" in checks.cloze_fault(rows, few, problem)
    bare = [hidden & (row % 2 == 0) for row, hidden in enumerate(masked(rows))]
    assert "rows hide nothing" in checks.cloze_fault(rows, bare, problem)
    one = [np.arange(len(row), 0, -1) % 5 == 1 for row in rows]
    assert checks.cloze_fault(rows, one, problem) == "masks of different rows are the same"


def best_items(problem, *, filter_seen=True):
    of_users, of_items = problem.factors
    scores = of_users @ of_items.T
    if filter_seen:
        scores[problem.seen] = -np.inf
    return np.argsort(-scores, axis=1)[:, :10] + 1


def outside(problem):
    lists = best_items(problem)
    return np.where(lists == problem.targets[:, None], lists, problem.n_items + 5)


def worse(problem):
    lists = best_items(problem)
    lists[0, 9] = np.setdiff1d(free(problem, problem.ranked_users[0]), lists[0])[0]
    return lists


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (best_items, None),
        (lambda problem: best_items(problem, filter_seen=False), "that its user has taken"),
        (outside, "outside the catalogue"),
        (lambda problem: best_items(problem)[:, ::-1], "list 0 has the scores"),
        (lambda problem: np.repeat(best_items(problem)[:, :1], 10, axis=1), "an item twice"),
        (lambda problem: best_items(problem)[:-1], "the shape is"),
        (worse, "list 0 has the scores"),
    ],
)
def test_lists_are_compared_as_a_whole(make, said, checks, ask):
    problem = ask("top_k_factors")
    fault = checks.lists_fault(make(problem), problem)
    assert fault is None if said is None else said in fault


@pytest.mark.parametrize("job", ["rank", "rank_factors"])
def test_ranks_among_taken_items_too_are_a_fault_in_a_large_catalogue(job, wide):
    problem, checks, metrics_of = wide(job)
    of_users, of_items = problem.factors
    scores = problem.scores if job == "rank" else of_users @ of_items.T

    def ranks():
        own = scores[np.arange(problem.rows), problem.targets - 1]
        return 1.0 + (scores > own[:, None]).sum(1)

    assert "@10 is" in checks.metrics_fault(metrics_of(ranks()), problem, problem.rows)
    scores[problem.seen] = -np.inf
    assert checks.metrics_fault(metrics_of(ranks()), problem, problem.rows) is None
