from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seqrec.openmp import SPINS, wait_briefly


@pytest.mark.parametrize(
    ("environment", "spins"),
    [
        ({}, SPINS),
        ({"GOMP_SPINCOUNT": "5"}, "5"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, None),
    ],
)
def test_threads_wait_briefly_unless_the_environment_says_how(monkeypatch, environment, spins):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    wait_briefly()
    assert os.environ.get("GOMP_SPINCOUNT") == spins


@pytest.mark.parametrize("command", ["train", "refit", "tune", "demo", "compare run"])
def test_a_command_that_trains_says_so_before_torch_is_there(command):
    program = """
import sys
from seqrec import openmp

def stop():
    sys.exit("late" if "torch" in sys.modules else "early")

openmp.wait_briefly = stop
from seqrec.cli import app
app(sys.argv[1:])
"""
    arguments = {
        "train": ["data", "--model", "lstm", "--task", "next_item", "--out", "run"],
        "refit": ["data", "--run", "run", "--out", "run2"],
        "tune": ["data", "--model", "lstm", "--task", "next_item", "--out", "run"],
        "demo": [],
        "compare run": ["data"],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split(), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.strip().splitlines()[-1:] == ["early"], done.stderr
