"""Text files: their bytes, decompressed as the name says; what is none is said to be none."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from seqrec.data.shards import find_shards
from seqrec.data.tables import RawTable, joined
from seqrec.errors import DataError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_HEAD_BYTES = 1 << 16


def is_named(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a file has one of the suffixes, in any case, that of its compression left out."""
    found = [suffix.lower() for suffix in path.suffixes]
    if found and found[-1] in COMPRESSIONS:
        found.pop()
    return bool(found) and found[-1] in suffixes


def open_stream(path: Path) -> pa.NativeFile:
    """The bytes of a file, decompressed as its name says."""
    try:
        return pa.input_stream(path, compression=COMPRESSIONS.get(path.suffix.lower()))
    except UnicodeEncodeError:
        raise DataError(
            f"the name of {path} is no valid UTF-8, which Arrow wants: rename it"
        ) from None


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOBase]:
    """The text of a file, decompressed; bytes that are no UTF-8 become surrogates."""
    try:
        with open_stream(path) as stream:
            yield io.TextIOWrapper(
                stream, encoding="utf-8-sig", errors="surrogateescape", newline=""
            )
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> DataError:
    """What is said of a file that the system does not read, or Arrow does not decompress."""
    packed = COMPRESSIONS.get(path.suffix.lower())
    if packed and error.errno is None:  # the system's errors have a number
        return DataError(f"{path} is damaged, or was not packed by {packed}: {error}")
    if isinstance(error, FileNotFoundError):
        return DataError(f"cannot read {path}: there is no such file")
    return DataError(f"cannot read {path}: {error.strerror or error}")


def read_shards(
    path: str | Path, suffixes: tuple[str, ...], kind: str, read: Callable[[Path], RawTable]
) -> RawTable:
    """The log in a text file, or in those of a glob or a folder that are more than white space.

    Args:
        path: a file, a glob or a folder.
        suffixes: of the files of a folder that belong to the log.
        kind: what they are, for the error.
        read: reads one.

    Raises:
        DataError: if there is none, they differ in their columns, or `read` refuses one.
    """
    known = f"{kind} ({', '.join(suffixes)})"
    paths = find_shards(path, lambda file: is_named(file, suffixes), known)
    written = [file for file in paths if len(paths) == 1 or not _is_blank(file)]
    return joined([read(file) for file in written or paths], str(path))


def _is_blank(path: Path) -> bool:
    with open_text(path) as text:
        return not text.read(_HEAD_BYTES).strip()


def read_head(path: Path) -> str:
    """The first bytes of a file, checked for being text at all."""
    if path.is_dir():
        raise DataError(f"cannot read {path}: it is a folder")
    with open_text(path) as text:
        head = text.read(_HEAD_BYTES)
    if not head.strip():
        raise DataError(f"{path}: no rows; the file is empty")
    if "\0" in head or head.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise DataError(f"{path} is no UTF-8 text (UTF-16, or a binary file): convert it first")
    return head
