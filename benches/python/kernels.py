"""The cloze kernel beside its twin and beside vectorised NumPy: batch 256, max_seq_len 200.

First the kernel's bytes are compared with those of the twin in tests/reference, which is written
to be read, not to be fast. So the yardstick is the third one: whole-batch NumPy over histories that
were padded beforehand, about the best that is done without compiled code. It draws other numbers.

    python benches/python/kernels.py [--seconds 2]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pipeline import BATCH_SIZE, MASK_PROB, MAX_SEQ_LEN, N_ITEMS, N_USERS, simulate

from seqrec import _core
from seqrec.tokens import IGNORE, PAD, mask_token

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from reference import cloze

SEQUENCES = simulate()
OPTIONS = cloze.Cloze(
    n_items=N_ITEMS, mask_prob=MASK_PROB, last_only_prob=0.1, keep_prob=0.0, random_prob=0.0
)
KS = np.zeros(BATCH_SIZE, dtype=np.int32)  # window 0 is a user's last MAX_SEQ_LEN items
TOKENS = np.empty((BATCH_SIZE, MAX_SEQ_LEN), dtype=np.int64)
LABELS = np.empty_like(TOKENS)
PADDED = np.full((N_USERS, MAX_SEQ_LEN), PAD, dtype=np.int64)
for user in range(N_USERS):
    last = SEQUENCES.user(user)[-MAX_SEQ_LEN:]
    PADDED[user, MAX_SEQ_LEN - len(last) :] = last


def kernel(users: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    _core.fill_cloze(
        SEQUENCES.items, SEQUENCES.starts, SEQUENCES.stops, users, KS, "last", MAX_SEQ_LEN,
        MAX_SEQ_LEN, N_ITEMS, OPTIONS.mask_prob, OPTIONS.last_only_prob, OPTIONS.keep_prob,
        OPTIONS.random_prob, 0, epoch, TOKENS, LABELS,
    )  # fmt: skip
    return TOKENS, LABELS


def twin(users: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    rows = [
        cloze.row(
            SEQUENCES.user(user)[-MAX_SEQ_LEN:].tolist(), MAX_SEQ_LEN, OPTIONS, (0, epoch, user, 0)
        )
        for user in users.tolist()
    ]
    tokens, labels = zip(*rows, strict=True)
    return np.array(tokens), np.array(labels)


def vectorised(users: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(epoch)
    windows = PADDED[users]
    hidden = (rng.random(windows.shape, dtype=np.float32) < OPTIONS.mask_prob) & (windows != PAD)
    last_only = rng.random(len(users)) < OPTIONS.last_only_prob
    hidden[last_only] = False
    hidden[~hidden.any(axis=1), -1] = True
    return np.where(hidden, mask_token(N_ITEMS), windows), np.where(hidden, windows, IGNORE)


def batches_per_second(fill: Callable, users: list[np.ndarray], seconds: float) -> float:
    """Median of single calls, each with users and an epoch of its own."""
    fill(users[0], 0)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        fill(users[len(times) % len(users)], 1 + len(times))
        times.append(time.perf_counter() - start)
    return 1 / statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each way")
    seconds = parser.parse_args().seconds
    rng = np.random.default_rng(0)
    users = [rng.integers(N_USERS, size=BATCH_SIZE, dtype=np.int32) for _ in range(64)]
    for found, wanted in zip(kernel(users[0], 3), twin(users[0], 3), strict=True):
        np.testing.assert_array_equal(found, wanted)
    print(f"kernel equals twin; {_core.threads()} kernel threads")
    ways = {"twin (Python)": twin, "vectorised NumPy": vectorised, "fill_cloze": kernel}
    speeds = {name: batches_per_second(fill, users, seconds) for name, fill in ways.items()}
    print(f"{'way':20}{'batches/s':>12}{'vs NumPy':>10}")
    for name, speed in speeds.items():
        print(f"{name:20}{speed:12,.0f}{speed / speeds['vectorised NumPy']:9.2f}x")


if __name__ == "__main__":
    main()
