"""Keyed draws, as protocol version 1 defines them: SHA-256 of a text, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from itertools import accumulate, count


def keyed_hash(purpose: str, part: str, raw_id: str, draw: str, attempt: str) -> int:
    """First 8 bytes, little-endian, of the digest of the text."""
    text = f"seqrec/1|{purpose}|{part}|{raw_id}|{draw}|{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def evaluation_negative(
    purpose: str,
    part: str,
    raw_id: str,
    draw: int,
    taken: Collection[int],
    weights: Sequence[int],
) -> int:
    """The item of the first try that is not taken; weights are 1 each for uniform draws."""
    sums = list(accumulate(weights))
    for attempt in count():
        place = keyed_hash(purpose, part, raw_id, str(draw), str(attempt)) * sums[-1] >> 64
        item = 1 + next(index for index, total in enumerate(sums) if total > place)
        if item not in taken:
            return item
    raise AssertionError
