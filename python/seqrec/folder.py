"""Folders that are either whole or not there: data sets, exports, the artifacts of runs, results.

A folder is written aside, every file is fsynced, and only when it is complete does it take its
name, so that a crash at any point leaves the old folder or the new one. POSIX cannot replace a full
folder in one step: for an instant the old one is called `.NAME.old`, which reading knows.

`manifest.json` gives the format, its version, and the size and SHA-256 of every other file. Files
that it does not list, files that are missing, links and odd names are refused before anything of
the folder is parsed.
"""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from seqrec.errors import ResourceError, SeqrecError, named_refused_thread
from seqrec.files import (
    MANIFEST,
    digest,
    fsync,
    is_there,
    keep_mode,
    name_aside,
    names_aside,
    read_json,
    refuse_link,
    refuse_sealed,
    write_json,
)

JUST_MADE = 60.0  # seconds in which a folder may be made and not yet held
VERIFY_BELOW = 64 << 20  # bytes: folders up to this size have their digests checked by default

T = TypeVar("T")
Entries = Mapping[str, Mapping[str, Any]]  # name of a file -> its "bytes" and "sha256"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a folder holds, and how it is refused.

    Attributes:
        format: its name in the manifest.
        version: of the format.
        suffixes: of the files in it.
        unreadable: the error for a folder that is damaged, incomplete or of another kind.
    """

    format: str
    version: int
    suffixes: tuple[str, ...]
    unreadable: type[SeqrecError]

    def allows(self, name: str) -> bool:
        """Whether a file of this name may be in the folder, beside the manifest."""
        named = _NAME.fullmatch(name) is not None and name != MANIFEST
        return named and name.endswith(self.suffixes)


@contextmanager
def whole_folder(
    folder: Path, kind: Kind, *, replace: bool = False, needs: int = 0
) -> Iterator[Path]:
    """A new folder to write into; it takes the name `folder` once the block ends without error.

    Args:
        folder: where it will be; its parents are made, links are followed.
        kind: what it holds.
        replace: replace a folder of the same kind. An empty one always is, anything else never.
        needs: about how many bytes will be written, for the error.

    Raises:
        ResourceError: if the place is taken or lies inside a folder of this sort, or the disk
            refuses. What was there is untouched, nothing is left beside it.
    """
    folder = Path(os.path.realpath(folder))
    new = folder.with_name(name_aside(folder))
    try:
        refuse_occupied(folder, kind, replace=replace)
        _remove_abandoned(folder)
        new.mkdir(parents=True)
        with _held(new):
            yield new
            _seal(new, kind)
            keep_mode(folder, new)
            refuse_occupied(folder, kind, replace=replace)  # writing takes time
            _take_place(new, folder, replace=replace)
    except OSError as error:
        if isinstance(error, ResourceError):  # of a file in it, by a name that nobody will find
            raise ResourceError(str(error).replace(str(new), str(folder))) from error
        size = f" (it needs about {needs:,} bytes)" if needs else ""
        # NumPy counts the bytes of a write that was cut short, and keeps what the system said.
        reason = error.strerror or f"the disk may be full: {error}"
        raise ResourceError(
            f"cannot write {folder}: {reason}{size}; what was there before is intact"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def read_folder(
    folder: Path, kind: Kind, read: Callable[[Path, Entries], T], *, verify: bool | None = True
) -> T:
    """What `read` makes of a folder whose names and sizes were checked, and its digests as asked.

    Args:
        folder: what `whole_folder` wrote.
        kind: what it has to hold.
        read: (place of the folder, its files) -> what is returned.
        verify: whether to read every byte; None: for folders up to 64 MiB.

    Raises:
        SeqrecError: `kind.unreadable`, naming the file and what is wrong; nothing is read in part.
    """
    while True:
        place = _place(folder)
        try:
            # Open, its inode is not given to another folder: the comparison below can be trusted.
            held = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            if _place(folder).exists():
                continue
            raise kind.unreadable(f"{folder} does not exist") from None
        except OSError as error:
            raise _unreadable(kind, error, place) from None
        try:
            files = _listed_files(place, kind)
            _check_files(place, kind, files, verify)
            found = read(place, files)
            if _is_current(folder, place, held):
                return found
        except (kind.unreadable, OSError) as error:
            if _is_current(folder, place, held):
                raise _unreadable(kind, error, place) from None
        finally:
            os.close(held)
        # A writer put a newer folder in its place meanwhile: read that one.


def read_document(folder: Path, kind: Kind, name: str) -> Any:
    """One JSON document of a folder; no other file is opened but the manifest.

    Raises:
        SeqrecError: `kind.unreadable`, if there is no such document or it is damaged.
    """

    def read(place: Path, files: Entries) -> Any:
        if name not in files:
            raise kind.unreadable(f"{place / name} is missing")
        _check_digest(place / name, kind, files[name])
        return read_json(place / name, kind.unreadable)

    return read_folder(folder, kind, read, verify=False)


def exists(folder: Path) -> bool:
    """Whether there is anything at the place of a folder."""
    return is_there(_place(folder))


def refuse_occupied(folder: Path, kind: Kind, *, replace: bool) -> None:
    """Raises ResourceError if a folder of this kind cannot be written there.

    Only what seqrec wrote is ever deleted: a mistyped path must not cost anybody a folder.
    """
    refuse_sealed(folder)
    old = _old(Path(os.path.realpath(folder)))
    if (foreign := _foreign(old, kind)) is not None:
        raise ResourceError(
            f"{old} is needed while {folder} is replaced, and holds {foreign!r}, which is no part "
            f"of a {kind.format}; move it elsewhere, or choose another folder"
        )
    place = _place(folder)
    if not place.exists():
        return
    if not place.is_dir():
        raise ResourceError(f"{folder} is no folder: it is a file, which is not replaced")
    if not replace and any(place.iterdir()):
        raise ResourceError(
            f"{folder} exists already: choose another, or overwrite it "
            "(overwrite=True, --overwrite)"
        )
    if (foreign := _foreign(place, kind)) is not None:
        raise ResourceError(
            f"{folder} is not replaced: it holds {foreign!r}, which is no part of a "
            f"{kind.format}; move that elsewhere, or choose another folder"
        )


def remove_folder(folder: Path, kind: Kind) -> None:
    """Removes a folder of this kind, if there is one.

    Raises:
        ResourceError: if it holds anything else.
    """
    folder = Path(os.path.realpath(folder))
    refuse_occupied(folder, kind, replace=True)
    for path in (_old(folder), folder):  # the newer one last: it would be missed
        _discard(path, folder)


def remove_leftovers(parent: Path) -> None:
    """Removes what killed writers left in `parent`, which nobody else may be writing to."""
    for path in parent.glob(".*.new-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _held(new: Path) -> Iterator[None]:
    """Locks a folder that is being written, until the block or the process ends."""
    descriptor = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks, where no writer removes anything
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Removes what killed writers of this folder left: nobody holds it, nor for a minute."""
    for new in folder.parent.glob(f"{glob.escape(names_aside(folder))}*"):
        with suppress(OSError):  # a living writer has it, or it is gone
            if time.time() - new.stat().st_mtime > JUST_MADE:
                _remove_unheld(new)


def _remove_unheld(new: Path) -> None:
    descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(new, ignore_errors=True)
    finally:
        os.close(descriptor)


def _seal(new: Path, kind: Kind) -> None:
    """Writes the manifest of all files, and makes them and the folder durable."""
    paths = sorted(new.iterdir())
    for path in paths:
        if not kind.allows(path.name):
            raise kind.unreadable(f"{path.name!r} is no allowed file name of a {kind.format}")
    # While one file is on its way to the disk, others are hashed.
    with named_refused_thread(), ThreadPoolExecutor() as beside:
        files = dict(zip((path.name for path in paths), beside.map(_entry, paths), strict=True))
    manifest = new / MANIFEST
    write_json(manifest, {"format": kind.format, "version": kind.version, "files": files})
    fsync(manifest)
    fsync(new)


def _entry(path: Path) -> dict[str, Any]:
    """What the manifest says of a file, which is put on disk."""
    fsync(path)
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def _take_place(new: Path, folder: Path, *, replace: bool) -> None:
    old = _old(folder)
    if replace and folder.exists():  # else it is empty: the system replaces that, and nothing else
        _discard(old, folder)  # a writer was killed before it did
        folder.rename(old)
    replaced = old.stat() if old.exists() else None
    try:
        new.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
    fsync(folder.parent)
    with suppress(OSError):  # it is nobody's any more, and the next writer tries again
        # Another writer may have moved what was written here: that is for it to put back.
        if replaced is not None and os.path.samestat(old.stat(), replaced):
            _discard(old, folder)


def _discard(path: Path, folder: Path) -> None:
    """Removes what is at `path`, under a name of leftovers: nobody reads half of it."""
    if path.exists():
        aside = folder.with_name(name_aside(folder))
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _foreign(place: Path, kind: Kind) -> str | None:
    """What is at a place and was not written as part of a folder of this kind; None if all was."""
    if not place.is_dir():
        return place.name if place.exists() else None
    names = sorted(path.name for path in place.iterdir())
    foreign = [name for name in names if name != MANIFEST and not kind.allows(name)]
    if not foreign and names and not _is_of_kind(place / MANIFEST, kind):
        foreign = names
    return foreign[0] if foreign else None


def _is_of_kind(manifest: Path, kind: Kind) -> bool:
    try:
        document = read_json(manifest, kind.unreadable)
    except kind.unreadable:
        return False
    return isinstance(document, dict) and _format(document) == kind.format


def _format(manifest: Mapping[str, Any]) -> Any:
    # Data sets that were prepared before 0.1 call it `kind`.
    return manifest.get("format", manifest.get("kind"))


def _listed_files(folder: Path, kind: Kind) -> Entries:
    """The files that the manifest lists, which are those of the folder: no more, no fewer."""
    if not folder.is_dir():
        raise kind.unreadable(f"{folder} is a file: a {kind.format} is a folder with {MANIFEST}")
    path = folder / MANIFEST
    manifest = read_json(path, kind.unreadable)
    entries = set(manifest) - {"format", "kind"} if isinstance(manifest, dict) else {None}
    if entries != {"version", "files"} or not isinstance(manifest["files"], dict):
        raise kind.unreadable(f"{path} is no manifest of seqrec")
    if _format(manifest) != kind.format:
        raise kind.unreadable(
            f"{path}: the folder holds {_format(manifest)!r}, not {kind.format!r}"
        )
    version, files = manifest.get("version"), manifest["files"]
    if version != kind.version or isinstance(version, bool):
        raise kind.unreadable(
            f"{path} has format version {version!r}, and this seqrec reads version "
            f"{kind.version}: use the release that wrote it, or write it again"
        )
    for name, entry in files.items():
        if not kind.allows(name):
            raise kind.unreadable(f"{path} lists {name[:80]!r}, which is no allowed file name")
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise kind.unreadable(f"{path} does not give bytes and sha256 of {name}")
    present = {entry.name for entry in os.scandir(folder)} - {MANIFEST}
    for name in sorted(present - set(files)):
        raise kind.unreadable(f"{folder / name} is not listed in {MANIFEST}: move it elsewhere")
    for name in sorted(set(files) - present):
        raise kind.unreadable(f"{folder / name} is missing")
    return files


def _check_files(folder: Path, kind: Kind, files: Entries, verify: bool | None) -> None:
    for name, entry in files.items():
        path = folder / name
        refuse_link(path, kind.unreadable)
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise kind.unreadable(f"{path} has {size} bytes, and {MANIFEST} says {entry['bytes']}")
    if verify is None:
        verify = sum(entry["bytes"] for entry in files.values()) <= VERIFY_BELOW
    if verify:
        for name, entry in files.items():
            _check_digest(folder / name, kind, entry)


def _check_digest(path: Path, kind: Kind, entry: Mapping[str, Any]) -> None:
    if digest(path) != entry["sha256"]:
        raise kind.unreadable(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _place(folder: Path) -> Path:
    folder = Path(os.path.realpath(folder))
    old = _old(folder)
    return old if not is_there(folder) and is_there(old / MANIFEST) else folder


def _unreadable(kind: Kind, error: SeqrecError | OSError, place: Path) -> SeqrecError:
    if isinstance(error, SeqrecError):
        return error
    return kind.unreadable(f"{error.filename or place} cannot be read: {error.strerror}")


def _is_current(folder: Path, place: Path, held: int) -> bool:
    """Whether the folder is still at the place where the one that is held open was read."""
    try:
        return place == _place(folder) and os.path.samestat(place.stat(), os.fstat(held))
    except FileNotFoundError:
        return False
