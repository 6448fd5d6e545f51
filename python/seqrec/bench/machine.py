"""The machine that a figure is for: processor, caches, instruction sets, memory, versions."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from seqrec import _core
from seqrec.processor import processor, processor_name

PACKAGES = ("seqrec", "numpy", "torch", "pandas", "pyarrow", "scipy", "numba", "polars", "duckdb")
SIMD = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512_bf16", "neon")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, Any]:
    """What is known of this machine, as plain values; what it does not tell is left out."""
    flags = processor().get("flags", "").split()
    found = {
        "cpu": processor_name(),
        "cores": cores(),
        "caches": caches(),
        "simd": [flag for flag in SIMD if flag in flags],
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": _memory_gib(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "os": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
        "seqrec_threads": _core.threads(),
        "torch_threads": torch.get_num_threads(),
        "load": _load(),
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    return {name: found for name in packages if (found := installed(name)) is not None}


def installed(package: str) -> str | None:
    """The version of a package, None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def caches() -> dict[str, int]:
    """Bytes of the data caches that the first core sees, as {"L1": ..., "L2": ..., "L3": ...}."""
    found = {}
    for folder in sorted(_CACHES.glob("index*")):
        if _text(folder / "type") == "Instruction":
            continue
        size = re.fullmatch(r"(\d+)([KM])", _text(folder / "size"))
        if size:
            bytes_ = int(size[1]) << (10 if size[2] == "K" else 20)
            found[f"L{_text(folder / 'level')}"] = bytes_
    return found


def _memory_gib() -> float | None:
    found = re.search(r"MemTotal:\s+(\d+) kB", _text(Path("/proc/meminfo")))
    return round(int(found[1]) / 2**20, 1) if found else None


def _load() -> float | None:
    """The load average of the last minute: above 1, somebody else computes."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
