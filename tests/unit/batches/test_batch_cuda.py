"""On a CUDA device: the same batches, from page-locked memory, and no refill before its copy."""

from __future__ import annotations

import pytest
import torch

from seqrec.batches import BatchStream, Buffers, ClozeRows
from seqrec.data.sequences import Sequences

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

LISTS = [[1 + (u * 7 + i) % 900 for i in range(1 + u % 150)] for u in range(2000)]
ROWS = ClozeRows(Sequences.from_lists(LISTS), 900)


def test_buffers_are_page_locked():
    assert Buffers(pinned=True).take("tokens", (3, 4), torch.int64).tensor.is_pinned()


@pytest.mark.parametrize("prefetch", [True, False])
def test_batches_on_the_device_are_those_of_the_host(prefetch):
    host = [batch.tokens.clone() for batch in BatchStream(ROWS, 64, 1).epoch(0)]
    device = torch.device("cuda")
    stream = BatchStream(ROWS, 64, 1, device=device, prefetch=prefetch)
    late = []
    for batch in stream.epoch(0):
        torch.cuda._sleep(2_000_000)  # keeps the copies of later batches queued for a millisecond
        late.append(batch.tokens)
    assert all(torch.equal(a, b.cpu()) for a, b in zip(host, late, strict=True))
