"""Files that are either whole or not there, and JSON that holds no surprise for its reader."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from seqrec.errors import ResourceError, SeqrecError

MANIFEST = "manifest.json"  # of a folder that holds what it lists, and nothing else (folder.py)
LARGEST_JSON = 64 << 20  # bytes of JSON that reading is ready to parse


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; what is written takes the name `path` once the block ends without error.

    Raises:
        ResourceError: if the disk refuses, or `refuse_place` does; what was called `path` before is
            intact.
    """
    asked, path = path, Path(os.path.realpath(path))
    aside = path.with_name(name_aside(path))
    try:
        refuse_place(asked)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        keep_mode(path, aside)
        fsync(aside)
        aside.replace(path)
        fsync(path.parent)
    except OSError as error:
        if isinstance(error, SeqrecError):
            raise
        reason = error.strerror or str(error).replace(str(aside), str(path))
        raise ResourceError(f"cannot write {path}: {reason}") from error
    finally:
        with suppress(OSError):  # the error that is on its way says more
            aside.unlink()


def refuse_place(path: Path) -> None:
    """Raises ResourceError where no file can be put, or one would take the place of what is none.

    That is a folder, a pipe or a device; a place below a file; and one that a manifest seals.
    """
    refuse_sealed(path)
    if is_there(path) and not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or a device"
        raise ResourceError(f"{path} is {what}, which no file replaces: choose another name")
    parents = Path(os.path.realpath(path)).parents
    above = next(parent for parent in parents if is_there(parent))
    if not above.is_dir():
        raise ResourceError(f"cannot write {path}: {above} is no folder")


def is_there(path: Path) -> bool:
    """Whether there is anything at a path; nothing is where nobody may look or no name can be."""
    with suppress(OSError):
        return path.exists()
    return False


def keep_mode(path: Path, new: Path) -> None:
    """Gives what will replace `path` its mode: what was for its owner alone stays so."""
    if path.exists():
        new.chmod(stat.S_IMODE(path.stat().st_mode))


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder to write files into, with its parents; those that were not there before.

    Raises:
        ResourceError: if that is refused, or it would lie in a folder that a manifest seals.
    """
    refuse_sealed(folder / "any")
    try:
        return make_missing(folder)
    except OSError as error:
        raise ResourceError(f"cannot make {folder}: {error.strerror or error}") from None


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Within it there is the folder; what was made for it and is empty at an error is removed.

    Raises:
        ResourceError: as `make_folder` does.
    """
    made = make_folder(folder)
    try:
        yield
    except BaseException:
        remove_empty(made)
        raise


def refuse_sealed(path: Path) -> None:
    """Raises ResourceError if the path lies inside a data set, an export or an artifact of seqrec.

    One file more, and nobody could read the folder again.
    """
    for parent in Path(os.path.realpath(path)).parents:
        sealed = _format_of(parent / MANIFEST)
        if sealed.startswith("seqrec"):
            raise ResourceError(
                f"{path} would lie inside {parent}, which is a {sealed} and can hold nothing else: "
                "choose a place outside"
            )


def _format_of(manifest: Path) -> str:
    """What a manifest says that its folder is; nothing where there is none to be read."""
    try:
        document = read_json(manifest, ResourceError) if manifest.is_file() else {}
    except OSError:  # of ours, or of a folder that may not be looked into
        return ""
    return str(document.get("format", "")) if isinstance(document, dict) else ""


def name_aside(path: Path) -> str:
    """A hidden name beside `path` that no other writer uses."""
    return f"{names_aside(path)}{os.getpid()}-{secrets.token_hex(4)}"


def names_aside(path: Path) -> str:
    """What the names of `name_aside` begin with: short, as a name has 255 bytes at most."""
    return f".{path.name[:50]}.new-"


def write_json(path: Path, document: Any) -> None:
    """Writes a document as indented JSON; NaN and infinities, which it does not have, are refused.

    ASCII alone, so that names which are no valid Unicode (as paths can be) survive.
    """
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")


def read_json(path: Path, unreadable: type[SeqrecError]) -> Any:
    """The document of a JSON file: without repeated keys, NaN, endless nesting or endless size.

    Args:
        path: of a regular file.
        unreadable: the error to raise.

    Raises:
        SeqrecError: `unreadable`, naming the file and what is wrong with it.
    """
    refuse_link(path, unreadable)
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise unreadable(f"{path} is larger than {LARGEST_JSON:,} bytes")
        text = path.read_bytes()
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except OSError as error:
        raise unreadable(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, SeqrecError):
            raise
        raise unreadable(f"{path} is no JSON document: {error}") from None


def make_missing(folder: Path) -> list[Path]:
    """Makes a folder with its parents; those that were not there before, the deepest first.

    Raises:
        OSError: if one cannot be made; those that were, are gone again.
    """
    folder = Path(os.path.realpath(folder))
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            with suppress(FileExistsError):  # since it was looked for
                if not is_there(path):
                    path.mkdir()
                    made.insert(0, path)
    except OSError:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: Iterable[Path]) -> None:
    """Removes folders, the deepest first, up to the first in which there is anything."""
    with suppress(OSError):  # others may use them by now, or have removed them
        for folder in folders:
            folder.rmdir()


def refuse_link(path: Path, unreadable: type[SeqrecError]) -> None:
    """Raises `unreadable` unless the path is a regular file."""
    if path.is_symlink() or not path.is_file():
        state = "is a link or no regular file" if os.path.lexists(path) else "is missing"
        raise unreadable(f"{path} {state}")


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Puts a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:80]!r} occurs twice")
    return table


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")
