"""One run per folder: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqrec.errors import ResourceError
from seqrec.files import make_missing, refuse_sealed, remove_empty

_TRIES = 100  # that others can spoil, by removing the folder before it is locked


@contextmanager
def locked(folder: Path, *, blank: Collection[str] = ()) -> Iterator[None]:
    """Holds `folder/.lock`, which names this process; the folder is made.

    The file stays behind. What a killed process left is no obstacle: the lock died with it. Only a
    folder that was made here, and that the block left by an error without putting anything into it,
    is removed again.

    Args:
        folder: to be held.
        blank: names of files in it that are nothing as long as they are empty.

    Raises:
        ResourceError: if another process holds it (names its pid), or it cannot be made, or
            lies inside a data set or an artifact.
    """
    path = folder / ".lock"
    refuse_sealed(path)
    made, descriptor = _held(folder, path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    except BaseException:
        _remove_made(made, path, descriptor, blank)
        raise
    finally:
        os.close(descriptor)


def _held(folder: Path, path: Path) -> tuple[list[Path], int]:
    """The folders that were made for the lock, the deepest first, and its descriptor."""
    tried = 0
    while True:
        tried += 1
        try:
            made = make_missing(folder)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError) and not folder.exists()
            if gone and tried < _TRIES:
                continue  # whoever had made it has just removed it
            raise ResourceError(f"cannot use {folder} for a run: {error.strerror}") from error
        try:
            _take(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(path, descriptor):
            return made, descriptor
        os.close(descriptor)  # of a file that was removed: the next process would lock another


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove_made(made: list[Path], path: Path, descriptor: int, blank: Collection[str]) -> None:
    """Removes the folders that were made for the lock, if there is nothing but it in them."""
    if not made or not _is_at(path, descriptor):
        return
    with suppress(OSError):  # the error that is on its way says more
        found = [other for other in made[0].iterdir() if other.name != path.name]
        if all(other.name in blank and not other.lstat().st_size for other in found):
            for file in (*found, path):
                file.unlink()
            remove_empty(made)


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
