"""The memory that batches are filled into: taken once, reused by every step."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray


class Memory(NamedTuple):
    """One piece of memory as the model sees it, and as a kernel fills it."""

    tensor: torch.Tensor
    array: NDArray[Any]


class Buffers:
    """Host memory for one batch at a time, by name; grows to the largest batch and stays.

    A batch taken from here is valid until the next one is taken. With `pinned` the memory is
    page-locked, so that a copy to a CUDA device can run beside the computation; `copying` and
    `wait` then keep a refill from overtaking that copy.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self.pinned = pinned
        self._slabs: dict[tuple[str, torch.dtype], torch.Tensor] = {}
        # To make a view takes as long as to fill a small one. Shapes are few, see padded_width.
        self._views: dict[tuple[str, torch.dtype, tuple[int, ...]], Memory] = {}
        self._copied: torch.cuda.Event | None = None

    def take(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Memory:
        """The memory called `name`, contiguous and of this shape; not initialised."""
        view = self._views.get((name, dtype, shape))
        if view is None:
            tensor = self._slab(name, dtype, shape)
            view = self._views[name, dtype, shape] = Memory(tensor, tensor.numpy())
        return view

    def _slab(self, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        size = math.prod(shape)
        slab = self._slabs.get((name, dtype))
        if slab is None or len(slab) < size:
            with torch.inference_mode(False):  # a later batch may be trained on
                slab = torch.empty(size, dtype=dtype, device="cpu", pin_memory=self.pinned)
            self._slabs[name, dtype] = slab
            self._views = {
                key: kept for key, kept in self._views.items() if key[:2] != (name, dtype)
            }
        return slab[:size].view(shape)

    def copying(self, device: torch.device) -> None:
        """Marks that a copy to the CUDA `device` has just been queued on its current stream."""
        self._copied = self._copied or torch.cuda.Event()
        self._copied.record(torch.cuda.current_stream(device))

    def wait(self) -> None:
        """Returns when the memory may be written again: when the last marked copy is done."""
        if self._copied is not None:
            self._copied.synchronize()
