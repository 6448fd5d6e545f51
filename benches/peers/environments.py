"""One virtual environment for each peer: their pins exclude each other.

Made by uv from `requirements/<peer>.txt`, in the folder that git ignores, and made again when the
file changes. uv links packages from its cache, so nine environments with one torch hold it once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from seqrec.errors import ResourceError

HERE = Path(__file__).parent
PEERS = tuple(sorted(path.stem for path in (HERE / "requirements").glob("*.txt")))
SEQREC = "seqrec"  # runs in the environment of this process


def interpreter(peer: str, folder: Path) -> Path:
    """The Python of a peer's environment, which is made if it is not there.

    Raises:
        ResourceError: if uv is missing or cannot install; ends with what it said.
    """
    if peer == SEQREC:
        return Path(sys.executable)
    environment, requirements = folder / peer, HERE / "requirements" / f"{peer}.txt"
    python, stamp = environment / "bin" / "python", environment / "requirements.sha256"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        _uv("venv", "--clear", "--python", sys.executable, str(environment))
        _uv("pip", "install", "--python", str(python), "-r", str(requirements))
        stamp.write_text(digest)
    return python


def variables(peer: str, threads: int) -> dict[str, str]:
    """The environment variables of a peer's process: every library's number of threads."""
    names = (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
        "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "LK_NUM_THREADS",
    )  # fmt: skip
    chosen = {name: str(threads) for name in names}
    if peer == "implicit":  # asks for it: its own threads call BLAS
        chosen["OPENBLAS_NUM_THREADS"] = "1"
    return {**os.environ, **chosen, "PYTHONWARNINGS": "ignore"}


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise ResourceError("uv makes the environments of the peers: pip install uv")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ResourceError(f"uv {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
