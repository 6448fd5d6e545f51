"""Every error that seqrec raises on purpose, and the exit code that the command line gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


class SeqrecError(Exception):
    """Base of all errors of seqrec: the message names what is wrong, where, and what to change."""

    exit_code = 1


class ConfigError(SeqrecError, ValueError):
    """An option is unknown, has the wrong type, is out of range or contradicts another."""

    exit_code = 2


class DataError(SeqrecError, ValueError):
    """The data cannot be used as it is: names the file, line or row, column and value."""

    exit_code = 3


class CheckpointError(SeqrecError, ValueError):
    """A saved artifact is damaged, incomplete, of another format or of another run."""

    exit_code = 4


class ResourceError(SeqrecError, OSError):
    """Disk, memory, device or output folder is not to be had."""

    exit_code = 5


class OutOfMemoryError(ResourceError):
    """Memory ran out, of the machine or of its GPU; what asked for it is the cause."""


class KernelPanicError(SeqrecError, RuntimeError):
    """The Rust extension met a defect of its own: please report it with the message."""

    exit_code = 1


class DivergenceError(SeqrecError, ArithmeticError):
    """A loss, gradient or score is NaN or infinite: names the step and what to change."""

    exit_code = 1


class InterruptedRunError(SeqrecError):
    """A signal stopped a run, after its state was saved; the exit code is 128 + the signal."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle, which knows of positional arguments alone: pools send errors by it."""
        return partial(type(self), signal_number=self.signal_number), self.args


@contextmanager
def named_out_of_memory() -> Iterator[None]:
    """Raises `OutOfMemoryError` for whatever says within it that memory ran out.

    And `ResourceError` for a thread that is refused, which may be for want of memory, too.
    """
    try:
        with named_refused_thread():
            yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        said = str(error).partition("\n")[0]
        raise OutOfMemoryError(
            f"out of memory: {said}; ask for less, such as smaller batches"
        ) from error


@contextmanager
def named_refused_thread() -> Iterator[None]:
    """Raises `ResourceError` where the system refuses to start a thread of Python within it."""
    try:
        yield
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        raise ResourceError(
            "the system starts no more threads: raise the limit on processes (ulimit -u, or that "
            "of the container) or on memory (ulimit -v)"
        ) from error


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether memory ran out: Python's own, a GPU's, or a CPU's, for which torch has no class."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = (
        "can't allocate memory", "Storage size calculation overflowed",
        "could not create a primitive", "std::bad_alloc",  # oneDNN, and what is written in C++
        "_STATUS_ALLOC_FAILED",  # cuBLAS and cuDNN
    )  # fmt: skip
    return any(text in str(error) for text in said)
