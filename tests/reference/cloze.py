"""Rows of the cloze task: the twin of rust/core/src/cloze.rs."""

from __future__ import annotations

from dataclasses import dataclass

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

    def hide_at(i: int) -> None:
        labels[i] = tokens[i]
        tokens[i] = disguise(tokens[i], cloze, stream)

    if stream.unit() < cloze.last_only_prob:
        hide_at(len(tokens) - 1)
        return
    for i in range(len(tokens)):
        if stream.unit() < cloze.mask_prob:
            hide_at(i)
    if all(label == -100 for label in labels):
        hide_at(stream.below(len(tokens)))


def disguise(item: int, cloze: Cloze, stream: Stream) -> int:
    """The item itself, a uniform item or MASK."""
    draw = stream.unit()
    if draw < cloze.keep_prob:
        return item
    if draw < cloze.keep_prob + cloze.random_prob:
        return 1 + stream.below(cloze.n_items)
    return cloze.n_items + 1
