"""The numbers that share an array with item ids, said once.

Items are 1..=N everywhere in seqrec. PAD fills what is no item, MASK (N + 1) hides one, and IGNORE
labels what is no target. `rust/core/src/lib.rs` says the same for the kernels.
"""

from __future__ import annotations

PAD = 0
IGNORE = -100  # the label that torch's cross-entropy leaves out


def mask_token(n_items: int) -> int:
    """The id of the MASK token in a catalogue of `n_items` items: N + 1."""
    return n_items + 1
