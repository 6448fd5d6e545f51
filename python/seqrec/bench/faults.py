"""What is wrong with what a contender computed: None, or the first thing that is, in words.

Where the result is determined, it has to be equal. Where it is drawn, it has to be *allowed* (no
label on padding, no negative that the user has taken), *distributed* as it should (share of masked
items, frequency of every item among the negatives) and *independent* from row to row and from call
to call: one mask or one vector of negatives for a whole batch is another job.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.bench.drawn import frequency_fault, same_fault
from seqrec.data import Sequences as Histories
from seqrec.tokens import IGNORE, PAD


def shape_fault(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> str | None:
    """Whether an array has the shape that all agreed on, and the type that torch embeds."""
    if array.shape != shape:
        return f"{name} has shape {array.shape}, not {shape}"
    if array.dtype != np.int64:
        return f"{name} is {array.dtype}, not int64"
    return None


def equal_fault(
    name: str, found: NDArray[Any], wanted: NDArray[Any], tolerance: float = 0.0
) -> str | None:
    """Whether two arrays are equal; up to `tolerance`, if there is one."""
    if found.shape != wanted.shape:
        return f"{name} has shape {found.shape}, not {wanted.shape}"
    differ = np.abs(found.astype(np.float64) - wanted.astype(np.float64)) > tolerance
    if not differ.any():
        return None
    place = tuple(int(i) for i in np.argwhere(differ)[0])
    return f"{name}{list(place)} is {found[place]}, not {wanted[place]}"


def cloze_fault(
    batches: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    windows: list[NDArray[np.int64]],
    n_items: int,
    mask_prob: float,
) -> str | None:
    """Whether (tokens, labels) hide a share of the items of left-padded windows, anew each time."""
    for (tokens, labels), window in zip(batches, windows, strict=True):
        fault = shape_fault("tokens", tokens, window.shape)
        fault = fault or shape_fault("labels", labels, window.shape)
        fault = fault or _hidden_fault(tokens, labels, window, n_items)
        if fault:
            return fault
    hidden = [labels != IGNORE for _, labels in batches]
    return _rate_fault(hidden, windows, mask_prob) or same_fault(
        "masks", [h[(w != PAD).all(axis=1)] for h, w in zip(hidden, windows, strict=True)]
    )


def negatives_fault(
    batches: list[NDArray[np.int64]],
    users: list[NDArray[np.int32]],
    sequences: Histories,
    weights: NDArray[np.float64],
) -> str | None:
    """Whether negatives [B, n] avoid what their user has taken and follow the weights [N].

    PAD stands where a row has no negative; such places are not looked at.
    """
    expected = np.zeros(len(weights))
    counted = np.zeros(len(weights))
    for drawn, of in zip(batches, users, strict=True):
        if drawn.min() < 0 or drawn.max() > len(weights):
            return f"a negative is outside 1..{len(weights)}: {drawn.min()}..{drawn.max()}"
        for row, user in zip(drawn, of.tolist(), strict=True):
            free = weights.copy()
            free[sequences.user(user) - 1] = 0
            real = row[row != PAD] - 1
            if (free[real] == 0).any():
                item = real[free[real] == 0][0] + 1
                return f"negative {item} is an item of user {user}"
            expected += len(real) * (free / free.sum())
            counted += np.bincount(real, minlength=len(weights))
    return frequency_fault(counted, expected) or same_fault("negatives", batches)


def _hidden_fault(
    tokens: NDArray[np.int64], labels: NDArray[np.int64], window: NDArray[np.int64], n_items: int
) -> str | None:
    hidden = labels != IGNORE
    if (hidden & (window == PAD)).any():
        return "a label stands on padding"
    fault = equal_fault("hidden items", np.where(hidden, labels, window), window)
    fault = fault or equal_fault("tokens", tokens, np.where(hidden, n_items + 1, window))
    if fault is None and not (hidden.any(axis=1) | (window == PAD).all(axis=1)).all():
        return "a row has no hidden item"
    return fault


def _rate_fault(
    hidden: list[NDArray[np.bool_]], windows: list[NDArray[np.int64]], mask_prob: float
) -> str | None:
    """A row of n items hides n p + (1 - p)^n of them: one is forced where none is drawn."""
    lengths = np.concatenate([(w != PAD).sum(axis=1) for w in windows])
    expected = (lengths * mask_prob + (1 - mask_prob) ** lengths).sum()
    found = sum(int(h.sum()) for h in hidden)
    spread = np.sqrt(lengths.sum() * mask_prob * (1 - mask_prob)) + 1
    if abs(found - expected) > 6 * spread:
        return f"{found} items are hidden, {expected:.0f} +- {spread:.0f} expected"
    return None
