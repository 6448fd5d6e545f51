"""Does a change make a kernel do more work? Counts instructions, which no load of a machine moves.

    python benches/instructions.py              # compare with benches/instructions.json
    python benches/instructions.py --record     # write it anew; say why in the commit

Each kernel of benches/rust/instructions.rs runs once under callgrind on fixed input, and not at all
a second time; the difference is its own. valgrind's processor has AVX2 at most, whatever this one
has: kernels that choose by processor take that path. Another compiler makes other code, so the file
says which one it is for, and a difference is told.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benches/instructions.json"
PROGRAM = ROOT / "target/release/examples/instructions"
TOLERANCE = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write the counts as the new record")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="share that is allowed")
    options = parser.parse_args()
    if not options.tolerance >= 0:
        parser.error("--tolerance is to be 0 or more")
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed, so instructions cannot be counted")
        return 0
    build = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "seqrec-core"]
    subprocess.run([*build, "--example", "instructions"], cwd=ROOT, check=True)
    compiler = output(["rustc", "--version"]).strip()
    counts = {kernel: instructions(kernel) for kernel in output([PROGRAM]).split()}
    if options.record:
        record = {"compiler": compiler, "instructions": counts}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        return 0
    return compare(counts, compiler, json.loads(RECORD.read_text("utf-8")), options.tolerance)


def compare(counts: dict[str, int], compiler: str, record: dict, tolerance: float) -> int:
    """Prints a line for each kernel; 1 if one does more work than it may."""
    if compiler != record["compiler"]:
        print(f"recorded with {record['compiler']}, counted with {compiler}")
    worse = False
    for kernel, count in counts.items():
        before = record["instructions"].get(kernel)
        if before is None:
            print(f"{kernel:26}{count:14,}  new: record it")
            continue
        change = count / before - 1
        verdict = "MORE" if change > tolerance else "less: record it" if change < -tolerance else ""
        worse |= change > tolerance
        print(f"{kernel:26}{before:14,} -> {count:14,}  {change:+7.1%}  {verdict}".rstrip())
    for kernel in record["instructions"].keys() - counts.keys():
        print(f"{kernel:26}is recorded and gone")
    return int(worse)


def instructions(kernel: str) -> int:
    """Of one run of the kernel, without making its input."""
    return callgrind(kernel, 1) - callgrind(kernel, 0)


def callgrind(kernel: str, repeats: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        options = ["--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            ["valgrind", *options, PROGRAM, kernel, str(repeats)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"{kernel} failed under callgrind:\n{done.stdout}{done.stderr}")
    return int(found[1])


def output(command: list) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
