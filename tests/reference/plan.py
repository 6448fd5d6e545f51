"""The rows of an epoch and their order: the twin of rust/core/src/plan.rs."""

from __future__ import annotations

from reference.seed import ORDER, WINDOW, Stream
from reference.window import count, step

Row = tuple[int, int, int]


def windows(
    lengths: list[int],
    policy: str,
    sizes: tuple[int, int, int, int],
    order: tuple[int, int, int],
) -> list[Row]:
    """Rows (user, k, length of the window); sizes = width, stride, overlap, min_length."""
    width, stride, overlap, min_length = sizes
    rows = []
    for user, n in enumerate(lengths):
        if n == 0 or n < min_length:
            continue
        for k in range(count(policy, n, width, stride, overlap)):
            rows.append((user, k, min(n - k * step(policy, stride), width)))
    return arrange(rows, 2**31, *order)


def targets(
    marks: list[list[int]], per_user: int, max_length: int, order: tuple[int, int, int]
) -> list[Row]:
    """Rows (user, k, position of the target); marks tell the new items of each user."""
    seed, epoch, _ = order
    rows = []
    for user, first in enumerate(marks):
        eligible = [position for position in range(1, len(first)) if first[position]]
        n = len(eligible)
        pieces = min(n, per_user)
        moved = Stream(seed, epoch, user, pieces, WINDOW).below(n)
        for k in range(pieces):
            low, high = k * n // pieces, (k + 1) * n // pieces
            drawn = low + Stream(seed, epoch, user, k, WINDOW).below(high - low)
            rows.append((user, k, eligible[(drawn + moved) % n]))
    return arrange(rows, max_length, *order)


def arrange(rows: list[Row], cap: int, seed: int, epoch: int, batch_size: int) -> list[Row]:
    """Shuffle; sort the rows of full batches in chunks of 32; cut; shuffle the full batches."""

    def key(row: Row) -> tuple[int, int, int]:
        user, k, _ = row
        return Stream(seed, epoch, user, k, ORDER).next_u64(), user, k

    rows = sorted(rows, key=key)
    chunk, full = 32 * batch_size, len(rows) // batch_size * batch_size
    by_length = [
        row
        for at in range(0, full, chunk)
        for row in sorted(rows[at : min(at + chunk, full)], key=lambda row: min(row[2], cap))
    ] + rows[full:]
    batches = [by_length[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    stream = Stream(seed, epoch, 2**64 - 1, 0, ORDER)
    for i in range(len(rows) // batch_size - 1, 0, -1):
        j = stream.below(i + 1)
        batches[i], batches[j] = batches[j], batches[i]
    return [row for batch in batches for row in batch]
