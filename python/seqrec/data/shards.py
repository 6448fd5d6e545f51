"""The files that a log lies in: one, those of a glob, or those of a folder at any depth."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from seqrec.errors import DataError


def find_shards(path: str | Path, is_shard: Callable[[Path], bool], kind: str) -> list[Path]:
    """The files that a path stands for, in the order of their names.

    Numbers in names count by value, so that part-10 comes after part-9: without times the order of
    the rows is the order of the events.

    Args:
        path: a file, a folder or a glob.
        is_shard: which files of a folder belong to the log.
        kind: what they are, for the error.

    Raises:
        DataError: if there is none.
    """
    paths = _each_once(sorted(list_files(path), key=_by_number))
    if not Path(path).is_dir():
        return paths
    paths = [p for p in paths if is_shard(p)]
    if not paths:
        raise DataError(f"{path} holds no {kind}")
    return paths


def _each_once(paths: list[Path]) -> list[Path]:
    """The paths; of those to one file the one by the fewest links, or the first by as many."""
    kept: dict[str, Path] = {}
    for path in sorted(paths, key=_count_links):
        kept.setdefault(os.path.realpath(path), path)
    chosen = set(kept.values())
    return [path for path in paths if path in chosen]


def _count_links(path: Path) -> int:
    return sum(map(os.path.islink, (path, *path.parents)))


def list_files(path: str | Path) -> list[Path]:
    """The file, or all files of a folder or a glob.

    What is hidden is none of them: files and folders that begin with "_" or ".", unless a glob has
    them by their whole name.

    Raises:
        DataError: if a folder cannot be listed, or nothing matches the glob.
    """
    place = Path(path)
    if place.is_dir():
        return list(_files_in(place))
    if place.exists() or not glob.has_magic(str(path)):
        return [place]
    found = [Path(p) for p in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    asked = set(place.parts)  # by name, be it hidden

    def is_hidden(path: Path) -> bool:
        return any(_is_hidden(part) and part not in asked for part in path.parts)

    paths = [p for p in found if not (p.is_dir() or is_hidden(p))]
    if not paths:
        raise DataError(f"no file matches {path}")
    return paths


def _by_number(path: Path) -> tuple[list[list[str | int]], Path]:
    """A key that sorts names by their text, runs of digits by their numbers, and then "01", "1"."""
    pieces = [re.split(r"(\d+)", part) for part in path.parts]  # every second one is a number
    return [[int(p) if p.isdecimal() else p for p in part] for part in pieces], path


def _files_in(place: Path) -> Iterator[Path]:
    """All files at any depth, through links too, but for what is hidden."""

    def refuse(error: OSError) -> NoReturn:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from None

    for folder, folders, files in os.walk(place, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(folder) / name for name in files if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", "."))
