"""Cloze batches a second: BatchStream beside the usual per-sample Dataset and DataLoader.

Both make the same rows (as many random windows of each user, batch 256, max_seq_len 200) from
simulated sequences of MovieLens-1M's shape. The Dataset pads to max_seq_len, as usual; the stream
pads to the longest row of a batch of like lengths. Planning or shuffling an epoch is inside the
clock. The figure is the median over whole epochs; nothing else should run beside it.

    python benches/python/pipeline.py [--seconds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from seqrec import _core
from seqrec.batches import BatchStream, ClozeConfig, ClozeRows, WindowConfig
from seqrec.data.sequences import Sequences
from seqrec.tokens import IGNORE, PAD, mask_token

N_USERS, N_ITEMS, N_EVENTS = 6_040, 3_416, 1_000_000
BATCH_SIZE, MAX_SEQ_LEN, MASK_PROB = 256, 200, 0.2


def simulate(seed: int = 0) -> Sequences:
    """Log-normal lengths and Zipf popularity: int32 items of N_USERS users."""
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(sigma=1.0, size=N_USERS)
    lengths = np.maximum(3, weights / weights.sum() * N_EVENTS).astype(np.int64)
    popularity = 1 / np.arange(1, N_ITEMS + 1)
    items = rng.choice(N_ITEMS, size=lengths.sum(), p=popularity / popularity.sum()) + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(items.astype(np.int32), offsets[:-1], offsets[1:])


class PerSample(Dataset):
    """One row a call, in NumPy: what most code does."""

    def __init__(self, sequences: Sequences, users: np.ndarray) -> None:
        self.histories = [sequences.user(user) for user in users]
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.histories)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        history, rng = self.histories[row], self.rng
        start = rng.integers(max(1, len(history) - MAX_SEQ_LEN + 1))
        window = history[start : start + MAX_SEQ_LEN]
        hidden = rng.random(len(window)) < MASK_PROB
        if not hidden.any():
            hidden[rng.integers(len(window))] = True
        tokens = np.full(MAX_SEQ_LEN, PAD, dtype=np.int64)
        labels = np.full(MAX_SEQ_LEN, IGNORE, dtype=np.int64)
        tokens[-len(window) :] = np.where(hidden, mask_token(N_ITEMS), window)
        labels[-len(window) :] = np.where(hidden, window, IGNORE)
        return torch.from_numpy(tokens), torch.from_numpy(labels)


def batches_per_second(epochs: Callable[[int], Iterable], seconds: float) -> float:
    """Median over the epochs that fit into `seconds`, after one to warm up."""
    speeds: list[float] = []
    began, epoch = time.perf_counter(), 0
    while len(speeds) < 3 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        count = sum(1 for _ in epochs(epoch))
        if epoch > 0:
            speeds.append(count / (time.perf_counter() - start))
        epoch += 1
    return statistics.median(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each loader")
    seconds = parser.parse_args().seconds
    sequences = simulate()
    rows = ClozeRows(
        sequences, N_ITEMS, WindowConfig(max_seq_len=MAX_SEQ_LEN),
        ClozeConfig(mask_prob=MASK_PROB, last_only_prob=0.0),
    )  # fmt: skip
    per_sample = PerSample(sequences, rows.plan(0, 0, BATCH_SIZE).users)
    ahead = BatchStream(rows, BATCH_SIZE, seed=0)
    in_turn = BatchStream(rows, BATCH_SIZE, seed=0, prefetch=False)
    loaders = [DataLoader(per_sample, BATCH_SIZE, shuffle=True)] + [
        DataLoader(per_sample, BATCH_SIZE, shuffle=True, num_workers=n, persistent_workers=True)
        for n in (1, 2)
    ]
    cases: list[tuple[str, Callable[[int], Iterable]]] = [
        (f"per-sample DataLoader, {loader.num_workers} workers", lambda _, one=loader: one)
        for loader in loaders
    ]
    cases += [("BatchStream, no prefetch", in_turn.epoch), ("BatchStream", ahead.epoch)]
    print(f"{os.cpu_count()} cores, {_core.threads()} kernel threads, {len(per_sample)} rows")
    print(f"{'loader':36}{'batches/s':>12}{'ratio':>9}")
    speeds = [batches_per_second(epochs, seconds) for _, epochs in cases]
    best = max(speeds[: len(loaders)])
    for (name, _), speed in zip(cases, speeds, strict=True):
        print(f"{name:36}{speed:12,.0f}{speed / best:8.1f}x")


if __name__ == "__main__":
    main()
