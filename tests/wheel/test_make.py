"""What `make` says on a machine where something is missing or too old, and that it does no more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("make", "sh", "find", "sed", "awk", "grep")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def machine(tmp_path):
    """A checkout and a PATH that holds the usual tools, Python and Rust, each to be replaced."""
    project, path = tmp_path / "project", tmp_path / "bin"
    (project / "rust").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "Cargo.toml", "Cargo.lock", "constraints.txt"):
        shutil.copy(ROOT / name, project)
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))
    (path / "python3").symlink_to(sys.executable)
    script(path / "cargo", "echo cargo 1.89.0")
    script(path / "rustc", "echo 'rustc 1.89.0 (0123 2025-08-04)'")
    return project, path


def script(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def make(machine, *arguments, code=2):
    project, path = machine
    done = subprocess.run(
        [path / "make", *arguments], cwd=project, env={"PATH": str(path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_oldest_versions_allowed_are_enough(machine):
    make(machine, "check-tools", code=0)


def test_a_newer_rust_is_enough(machine):
    script(machine[1] / "rustc", "echo 'rustc 2.0.0 (0123 2030-01-01)'")
    make(machine, "check-tools", code=0)


def test_help_lists_the_targets_and_needs_nothing(machine):
    for name in ("python3", "cargo", "rustc"):
        (machine[1] / name).unlink()
    said = make(machine, code=0)
    assert all(f"make {target}" in said for target in ("demo", "test", "lint", "wheel", "sdist"))


@pytest.mark.parametrize("target", ["test", "demo", "lint", "wheel"])
def test_a_missing_python_is_named(machine, target):
    (machine[1] / "python3").unlink()
    assert "seqrec needs Python >= 3.11: there is no python3" in make(machine, target)


def test_an_old_python_is_named_with_its_version(machine):
    old = "import sys; sys.version_info = (3, 10, 4); sys.version = '3.10.4 (main)';"
    (machine[1] / "python3").unlink()
    script(machine[1] / "python3", f"exec {sys.executable} -c \"{old} exec('$2')\"")
    said = make(machine, "test")
    assert "seqrec needs Python >= 3.11; python3 is 3.10.4" in said
    assert "make PYTHON=" in said


def test_another_python_can_be_named(machine):
    (machine[1] / "python3").rename(machine[1] / "python3.99")
    make(machine, "check-tools", "PYTHON=python3.99", code=0)


@pytest.mark.parametrize("missing", ["cargo", "rustc"])
def test_a_missing_rust_is_named(machine, missing):
    (machine[1] / missing).unlink()
    assert "seqrec needs Rust >= 1.89: there is no cargo or no rustc" in make(machine, "test")


def test_an_old_rust_is_named_with_its_version(machine):
    script(machine[1] / "rustc", "echo 'rustc 1.87.0 (17067e9ac 2025-05-09)'")
    assert "seqrec needs Rust >= 1.89; this is rustc 1.87.0" in make(machine, "demo")


def test_nothing_is_made_when_a_tool_is_missing(machine):
    (machine[1] / "cargo").unlink()
    make(machine, "test")
    assert not (machine[0] / ".venv").exists()
