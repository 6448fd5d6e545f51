import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="glibc alone is told what to do with memory"
)

PRELUDE = """
import sys
from seqrec import allocator

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
"""
ONE_BLOCK = """
if sys.argv[1] == "asked":
    allocator.keep_freed_memory()
block = bytearray(b"1") * (128 << 20)
full = resident()
del block
print(full - resident())
"""
GAPS = """
blocks = [bytearray(b"1") * (64 << 10) for _ in range(1 << 10)]
full = resident()
del blocks[:-1]
if sys.argv[1] == "asked":
    allocator.give_back_freed_memory()
print(full - resident())
"""


def given_back(program: str, choice: str) -> int:
    """Bytes that a process has given back at its end."""
    command = [sys.executable, "-c", PRELUDE + program, choice]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_freed_memory_is_kept():
    assert given_back(ONE_BLOCK, "usual") > 100 << 20
    assert given_back(ONE_BLOCK, "asked") < 10 << 20


def test_freed_memory_behind_what_is_in_use_is_given_back():
    assert given_back(GAPS, "usual") < 10 << 20
    assert given_back(GAPS, "asked") > 50 << 20
