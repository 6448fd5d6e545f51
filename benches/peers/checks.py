"""What is wrong with what a contender computes: None if nothing is.

Written without seqrec, so that seqrec is judged by the same rules as its peers; what is drawn is
tested as in `seqrec bench`, by the file that does it there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
from contract import Contender, Steps
from numpy.typing import NDArray
from problem import K, Problem
from ranks import metrics_of

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-5
ROUNDING = 1e-4  # of a float32 product of factors, summed in any order


def metrics_fault(
    found: Mapping[str, float], problem: Problem, rows: int, tolerance: float = TOLERANCE
) -> str | None:
    """The values over the first `rows` users against those of counted ranks."""
    name = "factor_ranks" if problem.job.endswith("factors") else "ranks"
    expected = metrics_of(problem.array(name)[:rows])
    for metric, value in found.items():
        if abs(value - expected[metric]) > tolerance:
            return f"{metric} is {value:.6f}, not {expected[metric]:.6f}"
    return None


def metrics_contender(
    name: str,
    problem: Problem,
    measure: Callable[[], Mapping[str, float]],
    *,
    rows: int | None = None,
    differs: tuple[str, ...] = (),
    note: str = "",
) -> Contender:
    """Who measures hit@10, ndcg@10 and mrr@10 over the first `rows` users (None: all).

    differs: metrics of another definition, told and not compared.
    """
    rows = rows or problem.rows
    found: dict[str, float] = {}

    def check() -> str | None:
        values = {metric: float(value) for metric, value in measure().items()}
        found.update({f"its own {metric}": values.pop(metric) for metric in differs})
        return metrics_fault(values, problem, rows)

    return Contender(
        name=name, call=lambda _: measure(), check=check, unit="k rows/s", units=rows / 1e3,
        note=note, found=found,
    )  # fmt: skip


def lists_fault(lists: NDArray[np.integer], problem: Problem) -> str | None:
    """Lists [R, K] of item ids, best first: the unseen items whose products are the largest.

    Lists may differ where products are as good as equal, so those of the lists are compared.
    """
    if lists.shape != (problem.rows, K):
        return f"the shape is {lists.shape}, not {(problem.rows, K)}"
    if lists.min() < 1 or lists.max() > problem.n_items:
        return "an id lies outside the catalogue"
    if (np.diff(np.sort(lists, axis=1), axis=1) == 0).any():
        return "a list has an item twice"
    of_users, of_items = problem.factors
    scores = of_users @ of_items.T
    scores[problem.seen] = -np.inf
    found = np.take_along_axis(scores, lists - 1, axis=1)
    if np.isneginf(found).any():
        return "a list has an item that its user has taken"
    best = -np.sort(-np.partition(scores, -K, axis=1)[:, -K:], axis=1)
    if (np.abs(found - best) > ROUNDING).any():
        row = int((np.abs(found - best) > ROUNDING).any(axis=1).argmax())
        return f"list {row} has the scores {found[row]}, not {best[row]}"
    return None


def cloze_fault(
    windows: Iterable[NDArray[np.integer]],
    hidden: Iterable[NDArray[np.bool_]],
    problem: Problem,
    *,
    prefixes: bool = False,
) -> str | None:
    """All rows of a batch without their padding, the hidden items put back; see `windows_fault`.

    A row that would hide nothing may hide one item after all, or be left as it is.
    """
    windows, hidden = list(windows), list(hidden)
    fault = windows_fault(windows, problem, prefixes=prefixes)
    if fault:
        return fault
    lengths, p = np.array([len(h) for h in hidden]), problem.mask_prob
    none = ((1 - p) ** lengths).sum()
    bare = sum(not h.any() for h in hidden)
    if bare > none + 6 * np.sqrt(none):
        return f"{bare} rows hide nothing, {none:.1f} may"
    found, spread = np.concatenate(hidden).sum(), 6 * np.sqrt(lengths.sum() * p)
    if not -spread < found - p * lengths.sum() < none + spread:
        return f"{found} items are hidden, not {p * lengths.sum():.0f} +- {spread:.0f}"
    pairs = zip(windows, hidden, strict=True)  # a row that comes twice may hide the same twice
    full = {w.tobytes(): h for w, h in pairs if len(w) == problem.max_seq_len}
    return _drawn().same_fault("masks", [np.array([*full.values()])])


def next_item_fault(
    inputs: Iterable[NDArray[np.integer]],
    targets: Iterable[NDArray[np.integer]],
    problem: Problem,
    *,
    prefixes: bool = False,
) -> str | None:
    """All rows of a batch and the items after theirs, without padding; see `windows_fault`.

    prefixes: whoever has a row for every prefix needs only the item after it.
    """
    windows = []
    for row, after in zip(inputs, targets, strict=True):
        window = np.append(row, after[-1:])
        asked = 1 if prefixes else len(row)
        if len(after) != asked:
            return f"a row of {len(row)} items has {len(after)} targets"
        if not (after == window[len(window) - asked :]).all():
            return f"the targets {after[:5]}... are not the items after {row[:5]}..."
        windows.append(window)
    return windows_fault(windows, problem, prefixes=prefixes)


def windows_fault(
    windows: Iterable[NDArray[np.integer]], problem: Problem, *, prefixes: bool = False
) -> str | None:
    """Rows of the first batch of an epoch: `batch_size` of them, of many users.

    Each has all items of a history, or its last ones if there are more than `max_seq_len` (for next
    item: one more, the last target).

    prefixes: it may be those of the beginning of a history, as where a library makes a row for
        every prefix (RecBole); a user then has as many rows as items.
    """
    windows = list(windows)
    if len(windows) != problem.batch_size:
        return f"{len(windows)} rows, not {problem.batch_size}"
    width = problem.max_seq_len + (problem.job == "next_item")
    users, starts = set(), _places(problem)
    for window in windows:
        if not len(window):
            return "a row is empty"
        places = [p for p in starts.get(int(window[0]), []) if _stands(window, p, problem)]
        if not places:
            return f"the items {window[:5]}... do not stand so in any history"
        users_there = problem.users[places]
        before = places - problem.offsets[users_there]
        after = problem.offsets[users_there + 1] - places - len(window)
        if not prefixes and after.min() > 0:
            return f"the row {window[:5]}... is not the end of a history"
        right = ((before == 0) & (len(window) <= width)) | (len(window) == width)
        right &= prefixes | (after == 0)
        if not right.any():
            return f"the row {window[:5]}... has {len(window)} items, up to {width} are asked for"
        users.add(int(users_there[right.argmax()]))
    return _users_fault(len(users), problem, prefixes=prefixes)


def _users_fault(found: int, problem: Problem, *, prefixes: bool) -> str | None:
    """Users may be drawn with replacement; 0.8 of those that come then are far below chance."""
    rows = np.diff(problem.offsets) if prefixes else np.ones(problem.n_users)
    expected = (1 - (1 - rows / rows.sum()) ** problem.batch_size).sum()
    if found < 0.8 * expected:
        return f"the rows are of {found} users, {expected:.0f} expected"
    return None


def _places(problem: Problem) -> dict[int, list[int]]:
    """Where each item stands in `items`."""
    places: dict[int, list[int]] = {}
    for place, item in enumerate(problem.items.tolist()):
        places.setdefault(item, []).append(place)
    return places


def _stands(window: NDArray[np.integer], place: int, problem: Problem) -> bool:
    stop = problem.offsets[problem.users[place] + 1]
    there = problem.items[place : min(stop, place + len(window))]
    return len(there) == len(window) and bool((there == window).all())


def negatives_fault(
    batches: list[NDArray[np.integer]], problem: Problem, n: int, *, tries: float = np.inf
) -> str | None:
    """Item ids [B, n] of some calls, for the users of the first of `problem.batches()`.

    They lie in the catalogue and outside the history, follow the weights of the case, and rows and
    calls differ.

    tries: after so many a sampler gives up and returns an item of the history (LensKit says so): so
        often as that happens by chance it may; the others have to follow the weights all the same.
    """
    weights = _weights(problem)
    counted, expected = np.zeros((2, problem.n_items))
    taken, most = 0, 0.0
    for negatives, users in zip(batches, problem.batches(), strict=False):
        if negatives.shape != (len(users), n):
            return f"the shape is {negatives.shape}, not {(len(users), n)}"
        if negatives.min() < 1 or negatives.max() > problem.n_items:
            return "an id lies outside the catalogue"
        for row, user in zip(negatives - 1, users.tolist(), strict=True):
            free = weights.copy()
            free[problem.history(user) - 1] = 0
            real = row[free[row] > 0]
            taken += n - len(real)
            most += n * (1 - free.sum()) ** tries
            expected += len(real) * free / free.sum()
            counted += np.bincount(real, minlength=problem.n_items)
    if taken > most + 6 * np.sqrt(most):
        return f"{taken} draws are items that their user has taken, {most:.1f} may be"
    drawn = _drawn()
    rows = [batch if n > 1 else batch.T for batch in batches]
    return drawn.frequency_fault(counted, expected) or drawn.same_fault("negatives", rows)


def _weights(problem: Problem) -> NDArray[np.float64]:
    """How often each item is drawn where nothing is left out: alike, or as often as it is taken."""
    if problem.case.endswith("popularity"):
        return np.bincount(problem.items - 1, minlength=problem.n_items) / len(problem.items)
    return np.full(problem.n_items, 1 / problem.n_items)


def _drawn() -> ModuleType:
    """seqrec's own tests of what is drawn: of the file alone, since peers do not have seqrec."""
    spec = spec_from_file_location("drawn", ROOT / "python/seqrec/bench/drawn.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def training_contender(
    name: str, problem: Problem, train: Callable[[int], Steps], note: str
) -> Contender:
    """Who trains TRAIN_STEPS steps with a softmax over the whole catalogue; takes a seed.

    The first loss of such a model is about that of a guess among n_items.
    """
    guess = float(np.log(problem.n_items))

    def check() -> str | None:
        first = train(0).losses[0]
        if not 0.7 * guess < first < 3 * guess:
            return f"the first loss is {first:.2f}, a guess has {guess:.2f}"
        return None

    return Contender(
        name=name, call=lambda seed: train(seed).rate(), check=check, unit="k targets/s",
        timed=True, note=note,
    )  # fmt: skip


def share_of_positives(
    negatives: NDArray[np.integer], users: NDArray[np.integer], problem: Problem
) -> float:
    """How many of the draws are in the history of their user."""
    rows = zip(users.tolist(), negatives, strict=True)
    return float(np.mean([np.isin(row, problem.history(user)) for user, row in rows]))


def ingestion_fault(
    users: NDArray[np.int64], items: NDArray[np.int64], problem: Problem
) -> str | None:
    """Raw ids of all events, a user's together and oldest first; users in any order."""
    order = np.argsort(users, kind="stable")
    expected = problem.array("raw_users")[problem.users], problem.array("raw_items")[problem.items]
    expected_order = np.argsort(expected[0], kind="stable")
    if len(users) != len(expected[0]):
        return f"{len(users)} events, not {len(expected[0])}"
    if not (users[order] == expected[0][expected_order]).all():
        return "the users' numbers of events differ"
    if _digest(items[order]) != _digest(expected[1][expected_order]):
        return "some history has another order or other items"
    return None


def _digest(values: NDArray[np.integer]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, dtype=np.int64)).hexdigest()
