"""Where a run computes, with how many threads, from which generators."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from seqrec.errors import ConfigError, ResourceError
from seqrec.threads import ProcessLock

logger = logging.getLogger(__name__)

# Torch has one generator a device for all threads of a process: who draws from it keeps it for as
# long as the draws have to follow each other.
_drawing = ProcessLock(threading.RLock)


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is the first of CUDA, MPS and CPU that is there.

    Raises:
        ConfigError: if `name` is no device that training knows.
        ResourceError: if this machine does not have it.
    """
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if _present(kind)))
    kind, colon, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and index.isdigit())):
        raise ConfigError(f"option `device` is {name!r}: it must be auto, cpu, mps, cuda or cuda:N")
    if not _present(kind) or (colon and int(index) >= torch.cuda.device_count()):
        raise ResourceError(f"option `device` is {name!r}, which this machine does not have")
    return torch.device(name)


@contextmanager
def thread_limit(threads: int | None) -> Iterator[None]:
    """Within it PyTorch computes with `threads` CPU threads; None leaves their number alone."""
    before = torch.get_num_threads()
    if threads is not None:
        processors = os.cpu_count() or threads
        if threads > processors:
            said = "training.threads is %d, on %d processors: threads then wait for each other"
            logger.warning(said, threads, processors)
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(
    seed: int, *, device: torch.device | None = None, purpose: str = "init", rank: int = 0
) -> Iterator[None]:
    """Within it torch draws (weights, dropout) from a stream of the run's own.

    The caller's generators, which are global in torch, continue afterwards as if nothing had been
    drawn. Another thread that asks for the same waits until then.

    Args:
        seed: the run's seed.
        device: also seed (and restore) this device's generator.
        purpose: streams of different purposes are independent.
        rank: so are those of different ranks.
    """
    text = f"seqrec|{seed}|{purpose}|{rank}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    with preserved(device):
        for generator in _generators(device).values():
            generator.manual_seed(key)
        yield


@contextmanager
def preserved(device: torch.device | None = None) -> Iterator[None]:
    """Whatever is drawn within it, the generators continue afterwards from where they are now."""
    with _drawing():
        before = generator_states(device)
        try:
            yield
        finally:
            set_generator_states(device, before)


def generator_states(device: torch.device | None) -> dict[str, Tensor]:
    """The states of the CPU's and the device's generator, uint8 tensors by kind of device."""
    return {kind: generator.get_state() for kind, generator in _generators(device).items()}


def set_generator_states(device: torch.device | None, states: Mapping[str, Tensor]) -> None:
    """Continues from saved states; a generator without one keeps its own."""
    for kind, generator in _generators(device).items():
        if kind in states:
            generator.set_state(states[kind])


def _generators(device: torch.device | None) -> dict[str, torch.Generator]:
    found = {"cpu": torch.default_generator}
    if device is not None and device.type == "cuda":
        torch.cuda.init()
        index = torch.cuda.current_device() if device.index is None else device.index
        found["cuda"] = torch.cuda.default_generators[index]
    elif device is not None and device.type == "mps":
        found["mps"] = torch.mps._get_default_mps_generator()
    return found


def _present(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return True
