"""Evaluation by several processes: whole chunks of users to each, merged in their order.

Cuts fall between chunks only, so every process scores exactly the chunks that one process would
score, and nobody is evaluated twice: the merged result equals that of one process to the last bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from seqrec.config import check
from seqrec.errors import DataError

R = TypeVar("R")


def shard(n_users: int, batch_size: int, rank: int = 0, world_size: int = 1) -> list[slice]:
    """The chunks of at most `batch_size` of `n_users` users that process `rank` evaluates."""
    check(batch_size >= 1, "batch_size", batch_size, "at least 1")
    check(world_size >= 1, "world_size", world_size, "at least 1")
    check(0 <= rank < world_size, "rank", rank, f"from 0 to world_size - 1 = {world_size - 1}")
    n_chunks = -(-n_users // batch_size)
    mine = range(n_chunks * rank // world_size, n_chunks * (rank + 1) // world_size)
    return [slice(c * batch_size, min((c + 1) * batch_size, n_users)) for c in mine]


def merge(results: Sequence[R]) -> R:
    """One result out of those of all processes, given in the order of their ranks.

    Every array of the result is joined along the users; everything else is the first's.
    """
    if not results:
        raise DataError("0 results to merge")
    first = results[0]
    joined = {
        name: np.concatenate([getattr(result, name) for result in results])
        for name in _array_names(first)
    }
    return dataclasses.replace(first, **joined)  # type: ignore[type-var]


def all_gather(result: R, device: torch.device | str = "cpu") -> R:
    """The merged result, on every process of the default process group.

    Args:
        result: the result of this process.
        device: where the backend wants its tensors: "cpu" for gloo, the process's GPU for nccl.
    """
    joined = {name: _gather(getattr(result, name), device) for name in _array_names(result)}
    return dataclasses.replace(result, **joined)  # type: ignore[type-var]


def _array_names(result: object) -> list[str]:
    fields = dataclasses.fields(result)  # type: ignore[arg-type]
    return [f.name for f in fields if isinstance(getattr(result, f.name), np.ndarray)]


def _gather(values: NDArray, device: torch.device | str) -> NDArray:
    # collectives want equal shapes: rows are padded to the longest shard, and cut again
    rows = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    sizes = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(rows)], device=device))
    longest = max(int(size) for size in sizes)
    padded = rows.new_zeros((longest, *rows.shape[1:]))
    padded[: len(rows)] = rows
    shards = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(shards, padded)
    return torch.cat([s[: int(size)] for s, size in zip(shards, sizes, strict=True)]).cpu().numpy()
