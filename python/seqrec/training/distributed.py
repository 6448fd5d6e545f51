"""Several processes as one: the little that training asks of torch.distributed.

Without an initialised process group there is one rank, and everything here is free. Gradients are
summed with weights, not averaged: a rank's mean loss counts by its targets, so that the step equals
that of one process which has the whole batch. (DistributedDataParallel averages over ranks, which
is another gradient where ranks have different numbers of targets.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seqrec.errors import ResourceError


@contextmanager
def launched_ranks(device: str = "auto") -> Iterator[bool]:
    """Within it what `torchrun` started trains as one; gives whether this is the first process.

    Where `device`, the option `training.device`, leaves the choice, each takes the GPU of its local
    rank if there are GPUs (gloo moves what lies on the CPU, nccl what lies on a GPU). Without
    torchrun nothing is set up.

    Raises:
        ResourceError: if more processes were started on this machine than it has GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    if device in ("auto", "cuda") and torch.cuda.is_available():
        _take_gpu(int(os.environ["LOCAL_RANK"]), device)
    dist.init_process_group()
    try:
        yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


def _take_gpu(local_rank: int, device: str) -> None:
    gpus = torch.cuda.device_count()
    if local_rank >= gpus:
        raise ResourceError(
            f"option `training.device` is {device!r}, and process {local_rank} (LOCAL_RANK) has no "
            f"GPU of its own: this machine has {gpus}; give torchrun --nproc-per-node {gpus}, or "
            "train with --device cpu"
        )
    torch.cuda.set_device(local_rank)


class Ranks:
    """This process among those that train together.

    Args:
        device: where this rank computes, and what the backend moves must lie.

    Attributes:
        rank: 0-based; rank 0 alone writes.
        world_size: number of ranks.
        device: where this rank computes.
    """

    def __init__(self, device: torch.device) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if together else 0
        self.world_size = dist.get_world_size() if together else 1
        self.device = device
        self._used: list[bool] | None = None

    @property
    def alone(self) -> bool:
        """Whether this is the only process."""
        return self.world_size == 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the artifacts and the log."""
        return self.rank == 0

    def shows(self, wanted: bool | None) -> bool | None:
        """Whether this process shows its progress: as `wanted` where it writes, else not."""
        return wanted if self.writes else False

    def same_start(self, model: nn.Module) -> None:
        """Gives every rank the weights and buffers of rank 0."""
        if not self.alone:
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, src=0)

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[Tensor], targets: int) -> Tensor:
        """Turns gradients of (mean loss x targets) into the gradient of the mean over all ranks.

        One message carries the targets and all gradients. Which parameters have a gradient on any
        rank is asked until some have: those without stay without, as in one process.

        Returns:
            The targets of all ranks, float32 [1], still on the device.
        """
        trained = list(parameters)
        if self._used is None:
            own = torch.tensor(
                [p.grad is not None for p in trained], dtype=torch.float64, device="cpu"
            )
            ranks_of_each = self._reduced(own, dist.ReduceOp.SUM)
            if not ranks_of_each.any():  # no rank has a target in this step
                return torch.zeros(1, dtype=torch.float32, device=self.device)
            self._used = (ranks_of_each > 0).tolist()
        used = [p for p, use in zip(trained, self._used, strict=True) if use]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
        head = torch.full((1,), float(targets), dtype=torch.float32, device=self.device)
        message = torch.cat([head, *(part.flatten() for part in parts)])
        dist.all_reduce(message)
        gradient = message[1:] / message[0].clamp(min=1)
        for p, part in zip(used, gradient.split([p.numel() for p in used]), strict=True):
            p.grad = part.view_as(p)
        return message[:1]

    def total(self, values: Tensor) -> Tensor:
        """The sum of a CPU tensor over the ranks, on the CPU."""
        return self._reduced(values, dist.ReduceOp.SUM) if not self.alone else values

    def largest(self, value: int) -> int:
        """The largest of the ranks' numbers."""
        if self.alone:
            return value
        return int(self._reduced(torch.tensor([value]), dist.ReduceOp.MAX).item())

    def of_first(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """The values of rank 0 under the same names, so that all ranks decide alike."""
        if self.alone or not metrics:
            return dict(metrics)
        names = sorted(metrics)
        values = torch.tensor([metrics[name] for name in names], dtype=torch.float64)
        moved = values.to(self.device)
        dist.broadcast(moved, src=0)
        return dict(zip(names, moved.cpu().tolist(), strict=True))

    def gathered(self, values: Tensor) -> list[Tensor]:
        """The ranks' CPU tensors, of one shape, in the order of the ranks."""
        if self.alone:
            return [values]
        moved = values.to(self.device)
        parts = [torch.empty_like(moved) for _ in range(self.world_size)]
        dist.all_gather(parts, moved)
        return [part.cpu() for part in parts]

    def wait(self) -> None:
        """Returns when every rank is here."""
        if not self.alone:
            dist.barrier()

    def _reduced(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        moved = values.to(self.device)
        if moved is values:
            moved = values.clone()
        dist.all_reduce(moved, op=operation)
        return moved.cpu()
