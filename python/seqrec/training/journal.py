"""The log of a run: one JSON line for each interval and each validation, and TensorBoard events."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from seqrec.errors import ConfigError, ResourceError

LOG, EVENTS = "log.jsonl", "tensorboard"


class Journal:
    """Appends to `folder/log.jsonl`; without a folder, or on ranks above 0, it does nothing.

    Args:
        folder: the run folder, or None.
        size: bytes of the log to keep: what a run wrote after the state that is resumed is cut.
        step: the step at which the run begins, for TensorBoard.
        tensorboard: also write events for it into `folder/tensorboard`.

    Raises:
        ConfigError: if TensorBoard is wanted and not installed.
        ResourceError: if the log cannot be written.
    """

    def __init__(self, folder: Path | None, *, size: int, step: int, tensorboard: bool) -> None:
        self._file: FileIO | None = None
        self._events: Any = None
        if folder is None:
            return
        self._path = folder / LOG
        if tensorboard:
            self._events = _writer(folder / EVENTS, step)
        try:
            self._file = self._path.open("ab", buffering=0)
            if self._path.stat().st_size > size:
                self._file.truncate(size)
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror}") from error

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """One line: the kind, the step and the values; a NaN is written as null."""
        if self._file is None:
            return
        plain = {"kind": kind, "step": step} | {k: _plain(v) for k, v in values.items()}
        line = (json.dumps(plain) + "\n").encode()
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror}") from error
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self._events.add_scalar(f"{kind}/{name}", value, step)

    def sync(self) -> int:
        """Puts the lines on disk; their size in bytes.

        Raises:
            ResourceError: if the disk refuses, or the log is not where it was: what is written to
                it would be lost with it.
        """
        if self._file is None:
            return 0
        try:
            os.fsync(self._file.fileno())
            written = os.fstat(self._file.fileno())
            in_place = self._path.exists() and os.path.samestat(written, self._path.stat())
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror}") from error
        if not in_place:
            raise ResourceError(f"{self._path} was removed or replaced while it was written to")
        return written.st_size

    def close(self) -> None:
        """Closes the log; nothing can be written afterwards."""
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "option `training.tensorboard` needs the package tensorboard: "
            "pip install 'seqrec[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder), purge_step=step)
