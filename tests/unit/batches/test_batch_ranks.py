"""Two real processes under gloo: the union of their rows is the batch of one process."""

from __future__ import annotations

import json
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing as mp

from seqrec.batches import BatchStream, ClozeRows, WindowConfig
from seqrec.data.sequences import Sequences

TRAIN = Sequences.from_lists([[1 + (u * 7 + i) % 40 for i in range(u + 1)] for u in range(21)])


def stream_of(rank: int, world_size: int) -> BatchStream:
    rows = ClozeRows(TRAIN, 40, WindowConfig(max_seq_len=12))
    return BatchStream(rows, 4, seed=5, rank=rank, world_size=world_size)


def read(rank: int, folder: str) -> None:
    """One of two processes: gathers the steps of both and lets the first write them down."""
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    mine = [batch.tokens.tolist() for batch in stream_of(rank, 2).epoch(1)]
    gathered: list[list | None] = [None, None]
    dist.all_gather_object(gathered, mine)
    if rank == 0:
        (Path(folder) / "steps.json").write_text(json.dumps(gathered))
    dist.destroy_process_group()


def test_two_processes_together_read_the_batches_of_one(tmp_path):
    mp.spawn(read, args=(str(tmp_path),), nprocs=2)
    first, second = json.loads((tmp_path / "steps.json").read_text())
    together = [sorted(a + b) for a, b in zip(first, second, strict=True)]
    assert together == [sorted(batch.tokens.tolist()) for batch in stream_of(0, 1).epoch(1)]
