"""The wheel and the source archive, built once by the targets that a release uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A nested make must not take the flags of the outer one for its own.
ENV = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def run(*command, cwd=ROOT, env=ENV, timeout=280):
    """Runs a command that must succeed, and returns what it printed."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(target, folder):
    if shutil.which("make") is None or shutil.which("cargo") is None:
        pytest.skip("make and cargo are needed to build what is tested here")
    if Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("the targets of make build with .venv: run this test by `make test`")
    run("make", target, f"DIST={folder}")
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of `make wheel`."""
    return make("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    """The source archive of `make sdist`."""
    return make("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def sdist_wheel(sdist, tmp_path_factory):
    """The wheel that pip builds of the source archive, offline.

    The crates are those that the build before has fetched, so that an archive without its lock, or
    with another, cannot pass. They are not compiled twice: the build shares this folder's target.
    """
    folder = tmp_path_factory.mktemp("from_sdist")
    env = {**ENV, "CARGO_NET_OFFLINE": "true", "CARGO_TARGET_DIR": str(ROOT / "target"),
           "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), ENV["PATH"]])}  # fmt: skip
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--wheel-dir", folder, sdist, env=env)  # fmt: skip
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def clean(wheel, tmp_path_factory):
    """An environment that holds the wheel and its pinned dependencies and nothing else.

    uv links the large files of its cache instead of copying them; pip would fetch 3 GB again.
    """
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.prefix) / "bin"), ENV["PATH"]]))
    if uv is None:
        pytest.skip("uv is missing: pip would copy 5 GB of torch for this test")
    folder = tmp_path_factory.mktemp("clean")
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    done = subprocess.run(
        [uv, "pip", "install", "--python", folder / "venv/bin/python", "--constraint",
         ROOT / "constraints.txt", wheel],
        env=ENV, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    if done.returncode and "error sending request" in done.stderr:
        pytest.skip(f"there is no network to install dependencies from: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    yield folder / "venv"
    shutil.rmtree(folder, ignore_errors=True)
