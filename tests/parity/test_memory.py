"""Memory that a kernel does not get is an error of ours, and does not end the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Each kernel is called in a child that may map a few megabytes more than its parent has, so that
# one after the other of its allocations is refused.
LIMITED = """
import os, resource, sys
import numpy as np
from seqrec import _core
from seqrec.errors import OutOfMemoryError

n, each, megabyte = 400_000, 20, 1 << 20
rng = np.random.default_rng(0)
n_users, n_items = n // each, n // 10
users = np.sort(rng.integers(0, n_users, n)).astype(np.int32)
items = rng.integers(1, n_items, n).astype(np.int32)
times, far = rng.integers(0, 2**40, n), rng.integers(-(2**62), 2**62, n)
offsets = np.arange(0, n + 1, each)
starts, stops = offsets[:-1].copy(), offsets[1:].copy()
some, text = rng.permutation(n_users).astype(np.int32), np.arange(0, 9 * n + 1, 9)
data = rng.integers(48, 58, 9 * n).astype(np.uint8)
ids = (text[:n_users + 1].copy(), data)
ones, first, nobody = np.ones(n_items, np.int64), np.ones(n, np.uint8), np.zeros(0, np.int32)
scores, one = rng.random((2, 20 * n_items), np.float32), np.zeros(2, np.int32)
inputs = (items, starts, stops, one, True)
positives, negatives = rng.random(n, np.float32), rng.random((n, 2), np.float32)
sequences, order = (items, starts, stops), (0, 0, 64)

CALLS = {
    "encode_integers, table": (_core.encode_integers, items.astype(np.int64)),
    "encode_integers, hash": (_core.encode_integers, times),
    "encode_strings": (_core.encode_strings, text, data),
    "sort_events": (_core.sort_events, users, None),
    "sort_events, far ids": (_core.sort_events, users << 12, times),
    "group_events, dealt": (_core.group_events, items, users, times, True, 2 * n),
    "group_events, one user": (_core.group_events, items * 0, items, far, True, 1),
    "group_events, no user": (_core.group_events, nobody, nobody, None, True, 2**31 - 1),
    "mark_repeats": (_core.mark_repeats, offsets, items, None, "first"),
    "n_core": (_core.n_core, users, items, n_users, n_items, 12, 12),
    "first_occurrences": (_core.first_occurrences, *sequences),
    "first_occurrences, one user": (_core.first_occurrences, items, offsets[:1], stops[-1:]),
    "sorted_sets": (_core.sorted_sets, *sequences),
    "count_items": (_core.count_items, *sequences, 2**31 - 2),
    "contain": (_core.contain, *sequences, np.repeat(some, 100), np.resize(items, 5 * n)),
    "weigh_pairs": (_core.weigh_pairs, *sequences, 3),
    "weigh_pairs, wide": (_core.weigh_pairs, *sequences, 1024),
    "keyed_hash": (_core.keyed_hash, "a", "b", text, data, "0", "0"),
    "draw_evaluation_negatives": (_core.draw_evaluation_negatives,
        "a", "b", *ids, *sequences, some[:100], n_items, 10**4, ones),
    "plan_windows": (_core.plan_windows, starts, stops, "prefixes", 5, 1, 0, 1, *order),
    "plan_windows, one user": (_core.plan_windows,
        offsets[:1], np.full(1, 2**31 - 1), "prefixes", 5, 1, 0, 1, *order),
    "plan_targets": (_core.plan_targets, first, starts, stops, 9, 50, *order),
    "alias_table": (_core.alias_table, rng.random(n)),
    "rank_counts": (_core.rank_counts, np.zeros((1, 8 * n), np.float32), one[:1] + 1,
                                             items, starts, stops, one[:1], True),
    "top_k": (_core.top_k, scores, 9 * n_items, *inputs, nobody),
    "rank_metrics": (_core.rank_metrics, np.ones(n), 10),
    "bootstrap_means": (_core.bootstrap_means, np.ones((2, 2)), n, 0),
    "auc": (_core.auc, positives, negatives),
    "bootstrap_auc": (_core.bootstrap_auc, positives, negatives, 2, 0),
}


def mapped():
    pages = int(open("/proc/self/statm").read().split()[0])
    return pages * resource.getpagesize()


def outcome(call, room):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    resource.setrlimit(resource.RLIMIT_AS, (mapped() + room, -1))
    try:
        call[0](*call[1:])
    except OutOfMemoryError as error:
        os._exit(5 if "bytes are not to be had" in str(error) else 1)
    except BaseException as error:
        print(name, type(error).__name__, error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


for name, call in CALLS.items():
    rooms = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    found = [outcome(call, room * megabyte) for room in rooms]
    print(name, *found, sep=";", flush=True)
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], env={**os.environ, "SEQREC_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(";") for line in done.stdout.splitlines()]
    return {name: list(map(int, codes)) for name, *codes in lines}


def test_memory_that_runs_out_is_an_error_of_ours_wherever_a_kernel_asks_for_it(outcomes):
    wrong = {name: codes for name, codes in outcomes.items() if not {0, 5}.issuperset(codes)}
    assert not wrong


def test_every_kernel_asks_for_more_than_there_is(outcomes):
    assert len(outcomes) > 20
    assert [name for name, codes in outcomes.items() if 5 not in codes] == []
