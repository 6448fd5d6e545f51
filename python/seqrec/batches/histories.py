"""Histories: what a model reads at inference, the most recent items of each user."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import check_array
from seqrec.data.sequences import Sequences
from seqrec.errors import DataError


def histories(
    sequences: Sequences,
    users: NDArray[np.int32],
    max_len: int,
    pad: Literal["left", "right"],
) -> torch.Tensor:
    """The last `max_len` items of each user, padded to the longest of them: int64 [B, W].

    W is at least 1, so that a batch of empty histories is one column of PAD.

    Raises:
        ConfigError: if `max_len` is below 1 or `pad` is no side.
        DataError: if a user is outside 0..n_users.
    """
    check(max_len >= 1, "max_len", max_len, "at least 1")
    check(pad in ("left", "right"), "pad", pad, "'left' or 'right'")
    check_array("histories", "users", users, np.int32)
    outside = (users < 0) | (users >= sequences.n_users)
    if outside.any():
        row = int(outside.argmax())
        raise DataError(f"user {users[row]} is outside 0..{sequences.n_users} (row {row})")
    lengths = sequences.stops[users] - sequences.starts[users]
    width = min(max_len, max(1, int(lengths.max(initial=0))))
    tokens = torch.empty((len(users), width), dtype=torch.int64, device="cpu")
    _core.fill_histories(
        sequences.items, sequences.starts, sequences.stops, users, pad == "left", tokens.numpy()
    )
    return tokens
