"""Rows of the cloze task: the twin of rust/core/src/cloze.rs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from reference.seed import MASK, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloze:
    """How items are hidden."""

    n_items: int
    mask_prob: float
    last_only_prob: float
    keep_prob: float
    random_prob: float


def row(
    window: list[int], width: int, cloze: Cloze, key: tuple[int, int, int, int]
) -> tuple[list[int], list[int]]:
    """(tokens, labels), padding first; the key is (seed, epoch, user, k)."""
    stream = Stream(*key, MASK)
    tokens, labels = list(window), [-100] * len(window)
    if window:
        hide(tokens, labels, cloze, stream)
    padding = width - len(window)
    return [0] * padding + tokens, [-100] * padding + labels


def hide(tokens: list[int], labels: list[int], cloze: Cloze, stream: Stream) -> None:
    """Hides the last item alone, or each with mask_prob and at least one."""
    n = len(tokens)
    if stream.unit() < cloze.last_only_prob:
        hidden = [n - 1]
    else:
        below = ceil(cloze.mask_prob * 2**32)
        hidden = [i for i, half in enumerate(halves(n, stream)) if half < below]
        hidden = hidden or [stream.below(n)]
    for i in hidden:
        labels[i] = tokens[i]
        tokens[i] = cloze.n_items + 1
    if cloze.keep_prob + cloze.random_prob > 0:
        for i in hidden:
            tokens[i] = disguise(labels[i], cloze, stream)


def halves(n: int, stream: Stream) -> list[int]:
    """32 bits for each of n items: low halves of draws, their high halves, one more if n is odd."""
    draws = [stream.next_u64() for _ in range(n // 2)]
    last = [stream.next_u64()] if n % 2 else []
    return [d % 2**32 for d in draws] + [d >> 32 for d in draws] + [d % 2**32 for d in last]


def disguise(item: int, cloze: Cloze, stream: Stream) -> int:
    """The item itself, a uniform item or MASK."""
    draw = stream.unit()
    if draw < cloze.keep_prob:
        return item
    if draw < cloze.keep_prob + cloze.random_prob:
        return 1 + stream.below(cloze.n_items)
    return cloze.n_items + 1
