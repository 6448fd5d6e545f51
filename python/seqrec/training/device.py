"""Where a run computes, with how many threads, in which precision, from which generators."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqrec.errors import ConfigError, ResourceError
from seqrec.training.held import held

# Torch has one generator a device for all threads of a process: who draws from it keeps it for as
# long as the draws have to follow each other. A child forked meanwhile has a lock of its own.
_drawing = threading.RLock()


def _renew_lock() -> None:
    global _drawing
    _drawing = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


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
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context of the training pass: bfloat16 where it is asked for, else plain float32.

    Weights are cast anew each time that they are met: those that autocast keeps are let go with the
    outermost context alone, steps later if that is a caller's.

    Raises:
        ResourceError: if the device cannot compute in bfloat16.
    """
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        name = torch.cuda.get_device_name(device)
        raise ResourceError(f"option `training.precision` is 'bf16', which {name} lacks: use fp32")
    enabled = precision == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Within it tensors are made in float32, on the CPU and trainable, whatever a caller has set.

    The default dtype is one for all threads of a process: only for as long as a model is made.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def gradients(device: torch.device) -> Iterator[None]:
    """Within it gradients are computed, in float32, whatever modes a caller is in."""
    off = torch.autocast(device.type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), off:
        yield


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within it float32 is float32: without a caller's autocast, and without TF32 in the LSTM.

    cuDNN rounds the factors of an LSTM's products to the ten bits of TF32 unless it is told not to.
    In other products a GPU does so only where the caller asks for it, and then it does.
    """
    with torch.autocast(device.type, enabled=False):
        if device.type != "cuda":
            yield
            return
        lstm: Any = torch.backends.cudnn.rnn  # whose stub lacks the property
        with held(lstm, "fp32_precision", "ieee"):
            yield


def processor() -> str:
    """What this machine calls its processor, as far as it says."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, colon, value = line.partition(":")
            if colon and name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def bf16_speed(device: torch.device, *, rounds: int = 7) -> float:
    """How much faster than in float32 a softmax head's product is in bfloat16 on this device.

    Processors without bfloat16 instructions emulate them: there it is below 1, and `fp32` is the
    faster precision.
    """
    users, items = (
        torch.randn(rows, 128, device=device, dtype=torch.float32) for rows in (512, 4096)
    )
    pairs = [(users, items), (users.bfloat16(), items.bfloat16())]
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for (left, right), spent in zip(pairs, seconds, strict=True):
            began = time.perf_counter()
            (left @ right.T).sum().item()
            spent.append(time.perf_counter() - began)
    fp32, bf16 = (statistics.median(spent[1:]) for spent in seconds)
    return fp32 / bf16


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
    with _drawing:
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
