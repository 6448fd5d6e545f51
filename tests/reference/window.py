"""Windows of a history: the twin of rust/core/src/window.rs."""

from __future__ import annotations

from math import ceil

from reference.seed import WINDOW, Stream


def count(policy: str, n: int, width: int, stride: int, overlap: int) -> int:
    """How many windows a history of n items has."""
    if policy == "sliding":
        return 1 + ceil(max(n - width, 0) / stride)
    if policy == "random":
        return max(1, ceil((n - overlap) / (width - overlap)))
    if policy == "shifted":
        return max(1, ceil((n - overlap) / stride))
    return max(1, n - 1) if policy == "prefixes" else 1


def cut(
    history: list[int], policy: str, width: int, stride: int, key: tuple[int, int, int, int]
) -> tuple[int, int]:
    """(start, stop) of the window of a row; its key is (seed, epoch, user, k)."""
    n, k = len(history), key[-1]
    if policy == "random" and k > 0:
        start = Stream(*key, WINDOW).below(max(n - width, 0) + 1)
        return start, min(start + width, n)
    if policy == "shifted" and k > 0:
        seed, epoch, user, _ = key
        stop = n - Stream(seed, epoch, user, 0, WINDOW).below(stride) - (k - 1) * stride
        return max(stop - width, 0), stop
    stop = n - k * step(policy, stride)
    return max(stop - width, 0), stop


def step(policy: str, stride: int) -> int:
    """How many items sooner than the one before a window ends, where no chance decides."""
    return {"sliding": stride, "prefixes": 1}.get(policy, 0)
