"""One run per folder: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqrec.errors import ResourceError
from seqrec.files import refuse_sealed


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds `folder/.lock`, which names this process; the folder is made.

    The file stays behind, as removing it would let two waiting processes lock two files. What a
    killed process left is no obstacle: the lock died with it.

    Raises:
        ResourceError: if another process holds it (names its pid), or it cannot be made, or
            lies inside a data set or an artifact.
    """
    path = folder / ".lock"
    refuse_sealed(path)
    try:
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ResourceError(f"cannot use {folder} for a run: {error.strerror}") from error
    try:
        _take(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
        raise ResourceError(
            f"{path.parent} is in use by the run of process {pid}: wait for it or choose another"
        ) from None
    except OSError as error:
        raise ResourceError(f"cannot lock {path}: {error.strerror}") from error
