"""Does training wait for data? Steps with live batches beside steps that replay resident ones.

A call is one pass over the first steps of an epoch: BERT4Rec on next item, real gradients, AdamW.
"resident" replays copies of those very batches, made beforehand and kept on the device, so that the
computation is the same; what a live contender takes longer is the wait. The start of an epoch
(plan, threads, first batch) is inside the clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from seqrec.batches import BatchStream, ClozeBatch, ClozeConfig, ClozeRows, Plan
from seqrec.bench.contender import Contender, Job, outputs
from seqrec.bench.faults import equal_fault
from seqrec.bench.jobs.evaluate import to_dataset
from seqrec.bench.samples import WORKERS, Cycle
from seqrec.bench.shapes import Problem
from seqrec.config import as_json
from seqrec.data import Split
from seqrec.experiment.config import RunConfig, resolve
from seqrec.experiment.fit import build_model, build_rows
from seqrec.tokens import IGNORE, PAD, mask_token
from seqrec.training import Ranks, choose_device, make_objective
from seqrec.training.precision import gradients
from seqrec.training.step import Stepper

MOST_STEPS = 32  # of an epoch, in one call
RESIDENT = "resident batches"


def data_wait(problem: Problem) -> Iterator[Job]:
    """Steps a second."""
    setting = _Setting(problem)
    made = [
        setting.live(None),
        setting.contender(RESIDENT, lambda: setting.resident, "nothing to wait for"),
        setting.live(not setting.stream(None).prefetch),
        *(setting.loader(workers) for workers in WORKERS),
    ]
    yield Job(
        name="data_wait",
        case=str(setting.device.type),
        unit="steps/s",
        contenders=made,
        fault=partial(_fault, setting.resident),
    )


def _fault(resident: list[ClozeBatch], contender: Contender) -> str | None:
    """Shapes are equal, and as much is hidden; what is hidden is drawn by each in its own way."""
    ((shapes, targets),) = outputs(contender, (0,))
    wanted = sum(batch.n_targets for batch in resident)
    found = int(targets.sum())
    # Each item is hidden or not: five standard deviations of their number at the most.
    if abs(found - wanted) > 5 * wanted**0.5 + 5:
        return f"{found} items are hidden, not about {wanted}"
    return equal_fault("shapes", shapes, np.array([batch.tokens.shape for batch in resident]))


class _Setting:
    """One split, one model config, and the batches of one epoch."""

    def __init__(self, problem: Problem) -> None:
        self.split: Split = to_dataset(problem).split()
        training = {"batch_size": problem.sizes.batch_size, "device": problem.sizes.device}
        tables = {
            "model": "bert4rec", "task": "next_item",
            "training": training, "windows": {"max_seq_len": problem.max_seq_len},
        }  # fmt: skip
        self.config: RunConfig = resolve({"benchmark": as_json(tables)})[0]
        self.device = choose_device(problem.sizes.device)
        rows = build_rows(self.config, self.split)
        assert isinstance(rows, ClozeRows)  # of BERT4Rec on next item
        self.rows = rows
        self.plan = rows.plan(0, 0, self.config.training.batch_size)
        self.steps = min(MOST_STEPS, self.plan.n_steps)
        copies = itertools.islice(self.stream(False).epoch(0), self.steps)
        self.resident = [_copy(batch) for batch in copies]

    def live(self, prefetch: bool | None) -> Contender:
        """The first batches of the epoch, made anew in each call; None: as in training."""
        stream = self.stream(prefetch)
        name = "seqrec" if prefetch is None else f"seqrec, {'' if prefetch else 'no '}prefetch"
        note = "one thread fills ahead" if stream.prefetch else ""
        return self.contender(name, lambda: itertools.islice(stream.epoch(0), self.steps), note)

    def loader(self, workers: int) -> Contender:
        """The usual Dataset and DataLoader: the same rows in the same order, drawn anew."""
        shares = [self.plan.share(step) for step in range(self.steps)]
        rows = np.split(np.arange(self.steps * self.plan.batch_size), self.steps)
        rows[-1] = rows[-1][: shares[-1].n_rows]
        loader = DataLoader(
            _Rows(self.plan, self.split, self.rows.cloze),
            batch_sampler=Cycle(rows),
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=self.device.type == "cuda",
        )
        running: list[Iterator[Any]] = []

        def batches() -> Iterator[ClozeBatch]:
            if not running:
                running.append(iter(loader))
            for batch in itertools.islice(running[0], self.steps):
                yield batch.to(self.device, non_blocking=True)

        name = "DataLoader" if workers == 0 else f"DataLoader, {workers} workers"
        return self.contender(name, batches, "one row a call", workers, running.clear)

    def contender(
        self,
        name: str,
        batches: Callable[[], Iterable[ClozeBatch]],
        note: str,
        processes: int = 0,
        close: Callable[[], None] = lambda: None,
    ) -> Contender:
        """Steps of a model of its own on these batches."""
        config = self.config
        model = build_model(config, self.split).to(self.device).train()
        stepper = Stepper(
            model,
            make_objective(config.objective, config.model, config.task),
            config.training,
            total_steps=1_000_000,
            no_decay=(),
            ranks=Ranks(self.device),
        )
        steps = itertools.count()

        def call(_seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            shapes, targets = [], []
            with gradients(self.device):  # as a run computes
                for batch in batches():
                    stepper.take(batch, next(steps))
                    shapes.append(tuple(batch.tokens.shape))
                    targets.append(batch.n_targets)
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            return np.array(shapes), np.array(targets)

        return Contender(
            name=name, call=call, package="torch" if processes or "Loader" in name else "seqrec",
            units=self.steps, note=note, processes=processes, close=close,
        )  # fmt: skip

    def stream(self, prefetch: bool | None) -> BatchStream[ClozeBatch]:
        """The stream of a run, or one that does or does not fill ahead."""
        size = self.config.training.batch_size
        return BatchStream(self.rows, size, 0, device=self.device, prefetch=prefetch)


def _copy(batch: ClozeBatch) -> ClozeBatch:
    return ClozeBatch(
        n_targets=batch.n_targets, tokens=batch.tokens.clone(), labels=batch.labels.clone()
    )


class _Rows(Dataset):
    """The rows of a plan, one a call: windows start anywhere, some items are hidden."""

    def __init__(self, plan: Plan, split: Split, cloze: ClozeConfig) -> None:
        self.plan, self.sequences, self.cloze = plan, split.train, cloze
        self.mask = mask_token(split.dataset.n_items)
        self._rng: np.random.Generator | None = None

    def __len__(self) -> int:
        return self.plan.n_rows

    def __getitem__(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        if self._rng is None:
            self._rng = np.random.default_rng(torch.initial_seed())
        plan, rng = self.plan, self._rng
        history, n = self.sequences.user(int(plan.users[row])), int(plan.tokens[row])
        start = rng.integers(len(history) - n + 1) if plan.ks[row] else len(history) - n
        window = history[start : start + n].astype(np.int64)
        hidden = rng.random(n) < self.cloze.mask_prob
        if rng.random() < self.cloze.last_only_prob:
            hidden = np.arange(n) == n - 1
        elif not hidden.any():
            hidden[rng.integers(n)] = True
        width = plan.share(row // plan.batch_size).width
        return np.where(hidden, self.mask, window), np.where(hidden, window, IGNORE), width


def _collate(rows: list[tuple[NDArray[np.int64], NDArray[np.int64], int]]) -> ClozeBatch:
    """Pads on the left to the width that all batches of these rows have."""
    width = rows[0][2]
    tokens = torch.full((len(rows), width), PAD, dtype=torch.int64)
    labels = torch.full((len(rows), width), IGNORE, dtype=torch.int64)
    for place, (own_tokens, own_labels, _) in enumerate(rows):
        tokens[place, width - len(own_tokens) :] = torch.from_numpy(own_tokens)
        labels[place, width - len(own_labels) :] = torch.from_numpy(own_labels)
    return ClozeBatch(
        tokens=tokens, labels=labels, n_targets=int(torch.count_nonzero(labels != IGNORE))
    )
