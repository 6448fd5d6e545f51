import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from seqrec.cli.allocator import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "keep":
    keep_freed_memory()
block = bytearray(b"1") * (128 << 20)
full = resident()
del block
print(full - resident())
"""


def given_back(choice: str) -> int:
    """Bytes that a process gives back when it frees 128 MiB."""
    command = [sys.executable, "-c", PROGRAM, choice]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone is told to keep memory")
def test_freed_memory_is_kept():
    assert given_back("usual") > 100 << 20
    assert given_back("keep") < 10 << 20
