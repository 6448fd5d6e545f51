"""Raw ids -> places in the ascending distinct ids; strings are ordered by their UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Sequence


def encode_integers(ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """(codes, vocabulary)."""
    vocabulary = sorted(set(ids))
    return [vocabulary.index(i) for i in ids], vocabulary


def encode_strings(ids: Sequence[str]) -> tuple[list[int], list[str]]:
    """(codes, vocabulary)."""
    vocabulary = sorted(set(ids), key=str.encode)
    return [vocabulary.index(i) for i in ids], vocabulary
