"""Rows of the relevance task: the twin of rust/core/src/relevance.rs."""

from __future__ import annotations

from collections.abc import Callable

from reference import histories
from reference.seed import NEGATIVE, PREFIX, Stream

Draw = Callable[[set[int], Stream], int]
Key = tuple[int, int, int, int]


def prefix(window: list[int], key: Key) -> int:
    """How many inputs of the window are read both ways: at least one, where there is one."""
    n_inputs = max(0, len(window) - 1)
    unit = Stream(*key, PREFIX).unit()
    return min(n_inputs, 1 + int(unit * unit * n_inputs))


def sequence_row(
    window: list[int],
    first: list[int],
    taken: set[int],
    draw: Draw,
    width: int,
    key: Key,
    length: int = 1,
) -> tuple[list[int], list[int], list[int]]:
    """(inputs, positives, negatives): a pair for each item of the window that follows another.

    What follows an item of a prefix of that length, but the last one of it, makes none.
    """
    stream = Stream(*key, NEGATIVE)
    targets = enumerate(zip(window[1:], first[1:], strict=True))
    positives = [item if new and place >= length - 1 else 0 for place, (item, new) in targets]
    negatives = [draw(taken, stream) if item else 0 for item in positives]
    padding = [0] * (width - len(positives))
    return window[:-1] + padding, positives + padding, negatives + padding


def pair_rows(
    history: list[int], position: int, taken: set[int], draw: Draw, width: int, key: Key
) -> tuple[list[int], list[int]]:
    """The row of the target and the row of its negative."""
    before = histories.row(history[:position], width - 1, pad_left=True)
    negative = draw(taken, Stream(*key, NEGATIVE))
    return [*before, history[position]], [*before, negative]
