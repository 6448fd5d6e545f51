"""The input that all peers share, made once for each shape: plain .npy files.

The log is that of `seqrec bench` (seqrec.bench.shapes), with raw ids that are neither dense nor in
order, and seconds added so that no user has two events at a time: peers break ties in many ways.
Scores are normal draws in which targets stand out a little, so that hit@10 lies near 0.4. In every
second row an item that the user has taken stands out, too, and popular items have larger factors,
so that a filter is missed whatever the catalogue. The true ranks are counted here by NumPy: whoever
is wrong, seqrec included, is found out.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from problem import LOG, K

from seqrec.bench.shapes import Problem, Sizes, simulated
from seqrec.data import Dataset

RANK_ROWS = 1_024
D = 8
MASK_PROB = 0.2
LEARNING_LEN, LEARNING_BATCH = 50, 64
WRITTEN = 2  # counts the ways in which input was written: what another one left is not taken


def make(folder: Path, shape: str, batch_size: int) -> Path:
    """The folder of a shape's input, made unless it is there."""
    target = folder / f"{shape}-{batch_size}-{WRITTEN}"
    if (target / "sizes.json").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    problem = simulated(shape, Sizes(batch_size=batch_size))
    rng = np.random.default_rng(1)
    _write_sequences(target, problem)
    _write_log(target, problem, rng)
    sizes = _write_scores(target, problem, rng)
    sizes |= {
        "n_items": problem.n_items,
        "max_seq_len": problem.max_seq_len,
        "batch_size": batch_size,
        "mask_prob": MASK_PROB,
    }
    (target / "sizes.json").write_text(json.dumps(sizes))
    return target


def from_dataset(folder: Path, dataset: Dataset) -> Path:
    """The folder of the training part of a data set and its users' validation items, made anew.

    Users without a validation item are left out.
    """
    split = dataset.split()
    users, train = split.valid.users, split.train
    target = folder / f"learning-{dataset.fingerprint[:8]}"
    target.mkdir(parents=True, exist_ok=True)
    lengths = train.stops[users] - train.starts[users]
    np.save(target / "items.npy", np.concatenate([train.user(user) for user in users]))
    np.save(target / "offsets.npy", np.append(0, np.cumsum(lengths)))
    np.save(target / "valid_targets.npy", split.valid.targets)
    sizes = {"n_items": dataset.n_items, "max_seq_len": LEARNING_LEN,
             "batch_size": LEARNING_BATCH, "mask_prob": MASK_PROB}  # fmt: skip
    (target / "sizes.json").write_text(json.dumps(sizes))
    return target


def _write_sequences(target: Path, problem: Problem) -> None:
    sequences = problem.sequences
    np.save(target / "items.npy", sequences.items)
    np.save(target / "offsets.npy", np.append(sequences.starts, sequences.stops[-1]))


def _write_log(target: Path, problem: Problem, rng: np.random.Generator) -> None:
    """Two orders of the same events, and the raw ids of users 0.. and items 1.. (0 is PAD)."""
    sequences = problem.sequences
    n_users = sequences.n_users
    raw_users = rng.permutation(10 * n_users)[:n_users] + 1
    raw_items = np.append(0, rng.permutation(10 * problem.n_items)[: problem.n_items] + 1)
    np.save(target / "raw_users.npy", raw_users)
    np.save(target / "raw_items.npy", raw_items)
    rows, places = sequences.places()
    seconds = (problem.times - problem.times.min()) * 86_400 + places - sequences.starts[rows]
    columns = (raw_users[rows], raw_items[sequences.items], seconds + 10**9)
    in_time = np.argsort(seconds, kind="stable")
    for name, order in (("time-ordered", in_time), ("shuffled", rng.permutation(in_time))):
        for column, values in zip(LOG, columns, strict=True):
            np.save(target / f"log-{name}-{column}.npy", values[order])


def _write_scores(target: Path, problem: Problem, rng: np.random.Generator) -> dict[str, int]:
    """Scores and factors of up to 6,040 users, with the true ranks; the numbers of rows."""
    sequences, n_items = problem.sequences, problem.n_items
    most = 6_040 if n_items < 10_000 else RANK_ROWS
    rows = min(most, sequences.n_users)
    users = rng.permutation(sequences.n_users)[:rows].astype(np.int32)
    targets = sequences.items[sequences.stops[users] - 1]
    scores = rng.standard_normal((rows, n_items), dtype=np.float32)
    scores[np.arange(rows), targets - 1] += rng.normal(2.5, 1.0, rows).astype(np.float32)
    taken = sequences.items[sequences.starts[users]]  # must not count, and would be found above
    scores[np.arange(0, rows, 2), taken[::2] - 1] = scores.max() + 1
    items = rng.standard_normal((n_items, D), dtype=np.float32)
    popular = np.argsort(-np.bincount(sequences.items - 1, minlength=n_items), kind="stable")
    items[popular[: -(-n_items // 100)]] *= 2  # high for who has taken them, too
    noise = rng.standard_normal((rows, D), dtype=np.float32)
    of_users = items[targets - 1] + 0.7 * noise
    lists, list_scores = _lists(scores, users, problem)
    named = {
        "scores": scores,
        "ranked_users": users,
        "ranks": _ranks(scores, users, targets, problem),
        "lists": lists,
        "list_scores": list_scores,
        "user_factors": of_users,
        "item_factors": items,
        "factor_ranks": _ranks(of_users @ items.T, users, targets, problem),
    }
    for name, values in named.items():
        np.save(target / f"{name}.npy", values)
    return {"evaluation_rows": rows, "rank_rows": min(RANK_ROWS, rows)}


def _lists(
    scores: NDArray[np.float32], users: NDArray[np.int32], problem: Problem
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(items, scores) of the K unseen items that score most, best first."""
    lists = np.empty((len(users), K), dtype=np.int32)
    for row, user in enumerate(users):
        unseen = scores[row].copy()
        unseen[problem.sequences.user(user)[:-1] - 1] = -np.inf
        lists[row] = np.argsort(-unseen, kind="stable")[:K] + 1
    return lists, np.take_along_axis(scores, lists.astype(np.int64) - 1, axis=1)


def _ranks(
    scores: NDArray[np.float32],
    users: NDArray[np.int32],
    targets: NDArray[np.int32],
    problem: Problem,
) -> NDArray[np.float64]:
    """1 + how many unseen items score more, row by row."""
    ranks = np.empty(len(users))
    for row, (user, target) in enumerate(zip(users, targets, strict=True)):
        better = scores[row] > scores[row, target - 1]
        better[problem.sequences.user(user)[:-1] - 1] = False
        ranks[row] = 1 + better.sum()
    return ranks
