"""Rows of the next-item task: the twin of rust/core/src/next_item.rs."""

from __future__ import annotations


def row(window: list[int], width: int) -> tuple[list[int], list[int]]:
    """(inputs, targets): real items first, then 0 and -100."""
    padding = width - max(len(window) - 1, 0)
    return window[:-1] + [0] * padding, window[1:] + [-100] * padding
