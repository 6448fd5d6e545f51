"""A peer's training against a clock: how good its model is after how many minutes.

The clock stands still while the model is looked at, and all are looked at in the same way: every
user's scores of all items, the seen ones left out, and the rank of the user's validation item.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from problem import Problem
from ranks import Scores, metrics_of, validation_ranks


class TimeIsUp(Exception):
    """Raised between two steps of a training that has had its minutes."""


@dataclass(kw_only=True)
class Clock:
    """Counts the processor seconds of one training and looks at its model now and then.

    All threads of the process count. With one thread that is the time on a clock of a machine which
    does nothing else, and what runs beside it moves nothing.

    Attributes:
        problem: what is learned.
        seconds: of training in all, of the processor.
        looks: how many, evenly spread.
        points: what was seen: one line of a training log for each look.
    """

    problem: Problem
    seconds: float
    looks: int
    points: list[dict[str, Any]] = field(default_factory=list)
    _steps: int = 0
    _spent: float = 0.0
    _since: float | None = None

    def step(self, epoch: int, scores: Scores) -> None:
        """To be called before each step; the first call starts the clock.

        Raises:
            TimeIsUp: when the seconds are spent.
        """
        now = time.process_time()
        if self._since is not None:
            self._spent += now - self._since
            self._steps += 1
            if self._spent >= self.seconds * (len(self.points) + 1) / self.looks:
                self._look(epoch, scores)
        if len(self.points) >= self.looks:
            raise TimeIsUp
        self._since = time.process_time()

    def _look(self, epoch: int, scores: Scores) -> None:
        self.points.append(
            {
                "kind": "validation",
                "step": self._steps,
                "epoch": epoch,
                "seconds": self._spent,
                **metrics_of(np.concatenate(list(validation_ranks(self.problem, scores)))),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Who is trained against the clock.

    Attributes:
        name: of its folder and in tables.
        train: trains from the seed until the clock raises `TimeIsUp`.
        note: what a reader must know.
    """

    name: str
    train: Callable[[int, Clock], None]
    note: str


def learned(learners: list[Learner], problem: Problem, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request: the curve of each learner, trained one after the other."""
    curves = []
    for one in learners:
        clock = Clock(problem=problem, seconds=60 * request["minutes"], looks=request["looks"])
        try:
            one.train(request["seed"], clock)
        except TimeIsUp:
            curves.append({"name": one.name, "note": one.note, "points": clock.points})
        else:
            raise RuntimeError(f"{one.name} ended before its time")
    return {"curves": curves}


@contextmanager
def in_eval(model: Any) -> Iterator[None]:
    """The model as for inference; behind the block it is in training again."""
    model.eval()
    yield
    model.train()


def padded(histories: list[NDArray[np.int32]], width: int, *, side: str) -> NDArray[np.int64]:
    """The last `width` items of each history as a row [B, width], padded on the `side` with 0."""
    rows = np.zeros((len(histories), width), dtype=np.int64)
    for row, history in zip(rows, histories, strict=True):
        kept = history[-width:]
        row[slice(width - len(kept), None) if side == "left" else slice(len(kept))] = kept
    return rows


def in_order(
    scores: NDArray[np.float32], names: NDArray[np.integer], problem: Problem
) -> NDArray[np.float32]:
    """Scores [B, len(names)] of the items `names` as columns of all items; -inf for the others."""
    ordered = np.full((len(scores), problem.n_items), -np.inf, dtype=np.float32)
    ordered[:, names - 1] = scores
    return ordered
