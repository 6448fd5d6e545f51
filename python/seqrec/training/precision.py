"""In which precision a run computes: bfloat16 where it is asked for, and float32 that is exact."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch

from seqrec.errors import ResourceError
from seqrec.processor import processor
from seqrec.threads import ProcessLock
from seqrec.training.held import held

_AMPERE = (8, 0)  # the first of NVIDIA's generations that multiplies bfloat16


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


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16: with them it is the faster precision.

    Asked of the hardware and not of a clock, so that a machine's answer is always the same. Of
    CPUs, those of x86-64 under Linux tell it.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _AMPERE
    flags = set(processor().get("flags", "").split()) if device.type == "cpu" else set()
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16"})


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
    with torch.inference_mode(False), torch.enable_grad(), off, _float32_products(device):
        yield


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within it float32 is float32: without a caller's autocast, and without TF32 in the LSTM.

    cuDNN rounds the factors of an LSTM's products to the ten bits of TF32 unless it is told not to.
    In other products a GPU does so only where the caller asks for it, and then it does.
    """
    with torch.autocast(device.type, enabled=False), _float32_products(device):
        if device.type != "cuda":
            yield
            return
        lstm: Any = torch.backends.cudnn.rnn  # whose stub lacks the property
        with held(lstm, "fp32_precision", "ieee"):
            yield


@contextmanager
def _float32_products(device: torch.device) -> Iterator[None]:
    """Within it a CPU multiplies float32 as float32, by the faster of PyTorch's two libraries.

    MKL leaves AVX-512 to Intel's processors: on AMD's oneDNN takes half of its time. PyTorch asks
    oneDNN only where bfloat16 is allowed inside of products, which it is then not to make use of.
    """
    if device.type != "cpu":
        yield
        return
    with _asking():
        better = _onednn_is_better()
    with held(_onednn_matmul(), "fp32_precision", "bf16" if better else "ieee"):
        yield


def _onednn_matmul() -> Any:
    onednn: Any = torch.backends.mkldnn  # whose stub lacks the property
    return onednn.matmul


_asking = ProcessLock(threading.Lock)  # the answer is there before any thread holds the setting


@cache
def _onednn_is_better() -> bool:
    """Whether oneDNN is the faster library, and multiplies exactly though it need not."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    amd = processor().get("vendor_id") == "AuthenticAMD"
    return wide and amd and _is_exact(_onednn_matmul())


def _is_exact(matmul: Any) -> bool:
    """Whether 1 + 2^-12, which is 1 in bfloat16, is itself in products that may round to that."""
    value = 1 + 2**-12
    with held(matmul, "fp32_precision", "bf16"):
        for rows, width, columns in ((32, 64, 64), (512, 128, 4096), (2048, 512, 512)):
            left = torch.full((rows, width), value, dtype=torch.float32, device="cpu")
            right = torch.ones((columns, width), dtype=torch.float32, device="cpu")
            if not (left @ right.T == width * value).all():
                return False
    return True


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
    with full_precision(device):
        for _ in range(rounds + 1):
            for (left, right), spent in zip(pairs, seconds, strict=True):
                began = time.perf_counter()
                (left @ right.T).sum().item()
                spent.append(time.perf_counter() - began)
    fp32, bf16 = (statistics.median(spent[1:]) for spent in seconds)
    return fp32 / bf16
