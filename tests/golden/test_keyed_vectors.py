"""Worked vectors of the keyed draws of protocol version 1.

The numbers were computed with hashlib from the texts beside them, and are frozen: a program that
reproduces this page draws the same negatives, and a change of any number is a new protocol.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from reference import text
from seqrec import _core

# (purpose, part, raw user id, draw, try) -> the 64 bits
HASHES = {
    ("small", "", "1", "", ""): 14259428727382248338,
    ("small", "", "u1", "", ""): 14894606698237910614,
    ("uniform", "test", "17", "0", "0"): 17932085934094731607,
    ("uniform", "test", "17", "0", "1"): 11702322628130404992,
    ("uniform", "test", "17", "9", "0"): 14626280558131684703,
    ("uniform", "valid", "17", "0", "0"): 8340103889922799106,
    ("uniform", "test", "Zoë", "0", "0"): 12511950714621062643,
    ("uniform", "test", "", "0", "0"): 7337094858301231831,
}

# (part, raw user id) -> ten uniform draws from items 1..=100, of which 1..=50 are taken
UNIFORM = {
    ("test", "17"): [98, 61, 75, 54, 75, 74, 86, 61, 97, 80],
    ("valid", "17"): [86, 60, 60, 98, 60, 82, 99, 95, 79, 97],
    ("test", "Zoë"): [68, 72, 68, 69, 100, 100, 82, 90, 88, 76],
}

# The same from items 1..=6 with training counts 5, 0, 1, 10, 3, 1, of which item 4 is taken
MATCHED = {
    ("test", "17"): [6, 1, 5, 1, 5, 5, 5, 1, 1, 1],
    ("valid", "17"): [5, 1, 1, 6, 3, 5, 1, 5, 1, 1],
    ("test", "Zoë"): [1, 1, 1, 3, 1, 6, 5, 1, 5, 3],
}
COUNTS = [5, 0, 1, 10, 3, 1]


def draw(part, raw_id, taken, n_items, counts):
    bounds = np.array([0]), np.array([len(taken)])
    items, users = np.array(taken, dtype=np.int32), np.zeros(1, dtype=np.int32)
    ids = text.pack([raw_id])
    return _core.draw_evaluation_negatives(
        "uniform", part, *ids, items, *bounds, users, n_items, 10, counts
    ).tolist()[0]


@pytest.mark.parametrize(("key", "bits"), HASHES.items())
def test_hash_of_the_kernel(key, bits):
    purpose, part, raw_id, number, attempt = key
    found = _core.keyed_hash(purpose, part, *text.pack([raw_id]), number, attempt)
    assert found.tolist() == [bits]


@pytest.mark.parametrize(("key", "bits"), HASHES.items())
def test_hash_of_hashlib(key, bits):
    digest = hashlib.sha256("|".join(("seqrec/1", *key)).encode()).digest()
    assert int.from_bytes(digest[:8], "little") == bits


@pytest.mark.parametrize(("key", "negatives"), UNIFORM.items())
def test_uniform_negatives(key, negatives):
    assert draw(*key, list(range(1, 51)), 100, None) == negatives


@pytest.mark.parametrize(("key", "negatives"), MATCHED.items())
def test_negatives_matched_to_popularity(key, negatives):
    assert draw(*key, [4], 6, np.array(COUNTS)) == negatives


def test_the_small_tenth_of_a_thousand_users():
    hashes = _core.keyed_hash("small", "", *text.pack([str(u) for u in range(1000)]), "", "")
    small = np.flatnonzero(hashes < np.uint64(2**64 // 10))
    assert (len(small), small[:8].tolist()) == (100, [2, 18, 21, 36, 42, 47, 54, 61])
