"""What a model reads at inference: the twin of rust/core/src/histories.rs."""

from __future__ import annotations


def row(history: list[int], width: int, pad_left: bool) -> list[int]:
    """The last `width` items and padding on one side."""
    kept = history[max(len(history) - width, 0) :]
    padding = [0] * (width - len(kept))
    return padding + kept if pad_left else kept + padding
