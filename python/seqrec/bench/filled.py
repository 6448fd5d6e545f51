"""seqrec in the jobs of batches: what training does for each of its steps, in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec.batches import Buffers, Share
from seqrec.bench.contender import Contender

Fill = Callable[[Share, Buffers], tuple[Any, ...]]


def filled(
    fill: Fill, users: list[NDArray[np.int32]], *, width: int = 1, units: float = 1.0
) -> Contender:
    """Fills the rows of a `BatchStream`; a call returns (users, what `fill` gives...).

    Args:
        fill: (share, buffers) -> the tensors of a batch.
        users: of each batch; a call takes those of its seed.
        width: tokens of a row.
        units: of the job's unit, in one call.
    """
    buffers, ks = Buffers(), np.zeros(len(users[0]), dtype=np.int32)

    def call(seed: int) -> tuple[Any, ...]:
        chosen = users[seed % len(users)]
        share = Share(users=chosen, ks=ks, positions=None, width=width, seed=0, epoch=seed)
        return chosen, *fill(share, buffers)

    return Contender(name="seqrec", call=call, package="seqrec", units=units)
