"""The memory that batches are filled into: taken once, reused by every step."""

from __future__ import annotations

import math

import torch


class Buffers:
    """Host memory for one batch at a time, by name; grows to the largest batch and stays.

    A batch taken from here is valid until the next one is taken. With `pinned` the memory is
    page-locked, so that a copy to a CUDA device can run beside the computation; `copying` and
    `wait` then keep a refill from overtaking that copy.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self.pinned = pinned
        self._slabs: dict[str, torch.Tensor] = {}
        self._copied: torch.cuda.Event | None = None

    def take(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A contiguous tensor of this shape over the memory called `name`; not initialised."""
        size = math.prod(shape)
        slab = self._slabs.get(name)
        if slab is None or len(slab) < size:
            slab = torch.empty(size, dtype=dtype, pin_memory=self.pinned)
            self._slabs[name] = slab
        return slab[:size].view(shape)

    def copying(self, device: torch.device) -> None:
        """Marks that a copy to the CUDA `device` has just been queued on its current stream."""
        self._copied = torch.cuda.Event()
        self._copied.record(torch.cuda.current_stream(device))

    def wait(self) -> None:
        """Returns when the memory may be written again: when the last marked copy is done."""
        if self._copied is not None:
            self._copied.synchronize()
            self._copied = None
