"""The processor of this machine, as far as it says what it is."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path


@cache
def processor() -> dict[str, str]:
    """The first entry of /proc/cpuinfo by its names ("vendor_id", "flags"); empty without Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.strip().split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def processor_name() -> str:
    """What this machine calls its processor."""
    return processor().get("model name") or platform.processor() or platform.machine()
