"""Folders that are either whole or not there: written aside, fsynced, renamed, with a manifest.

manifest.json names the kind and the format version of the folder, and the size and SHA-256 digest
of every other file in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqrec.errors import DataError, ResourceError

MANIFEST = "manifest.json"
VERIFY_BELOW = 64 << 20  # bytes: folders up to this size have their digests checked by default


@contextmanager
def whole_folder(
    folder: Path, *, kind: str, version: int, overwrite: bool = False
) -> Iterator[Path]:
    """A new folder to write into; it takes the name `folder` once the block ends without error.

    Args:
        folder: where it will be; its parents are made.
        kind: what the folder is, for the manifest.
        version: format version, for the manifest.
        overwrite: replace a folder of the same kind (or an empty one); anything else is kept.

    Raises:
        DataError: if `folder` exists and may not be replaced.
        ResourceError: if the disk refuses.
    """
    folder = Path(folder).absolute()
    _check_free(folder, kind, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise ResourceError(f"cannot write {folder}: {error.strerror}") from None
    try:
        yield aside
        _seal(aside, kind, version)
        _rename(aside, folder)
    except OSError as error:
        if isinstance(error, ResourceError):
            raise
        raise ResourceError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_manifest(folder: Path, *, kind: str, version: int) -> dict[str, Any]:
    """The manifest of a folder of this kind and version.

    Raises:
        DataError: if there is none, or it is of another kind or version; names the file.
    """
    path = Path(folder) / MANIFEST
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DataError(f"{path} is no manifest of seqrec")
    if manifest.get("kind") != kind:
        raise DataError(f"{path}: the folder holds {manifest.get('kind')!r}, not {kind!r}")
    if manifest.get("version") != version:
        raise DataError(
            f"{path}: format version {manifest.get('version')!r}, but this seqrec reads {version}; "
            "write the folder again"
        )
    return manifest


def check_files(folder: Path, manifest: dict[str, Any], verify: bool | None = None) -> None:
    """Checks that the files of a manifest are there, have their sizes and (verify) their digests.

    Args:
        folder: the folder of the manifest.
        manifest: what `read_manifest` returned.
        verify: whether to read every byte; None: for folders up to 64 MiB.

    Raises:
        DataError: for the first file that is missing or differs.
    """
    total = 0
    for name, entry in manifest["files"].items():
        path = Path(folder) / name
        if Path(name).name != name or not path.is_file():
            raise DataError(f"{path} is missing, but {MANIFEST} lists it")
        if path.stat().st_size != entry["bytes"]:
            raise DataError(
                f"{path} has {path.stat().st_size} bytes, but {MANIFEST} says {entry['bytes']}"
            )
        total += entry["bytes"]
    if verify is False or (verify is None and total > VERIFY_BELOW):
        return
    for name, entry in manifest["files"].items():
        if _digest(Path(folder) / name) != entry["sha256"]:
            raise DataError(
                f"{Path(folder) / name} is damaged: its SHA-256 differs from {MANIFEST}"
            )


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Writes a document as indented JSON; NaN and infinities are refused."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The document of a JSON file.

    Raises:
        DataError: if it cannot be read or is no JSON; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from None


def _check_free(folder: Path, kind: str, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise DataError(f"{folder} exists and is no folder")
    if not any(folder.iterdir()):
        return
    if not overwrite:
        raise DataError(f"{folder} exists already: choose another name, or pass overwrite=True")
    # Only what seqrec wrote may be deleted: a mistyped path must not cost somebody a home folder.
    manifest = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        raise DataError(f"{folder} is not replaced: it holds something other than {kind!r}")


def _seal(folder: Path, kind: str, version: int) -> None:
    """Writes the manifest of all files, and makes them and the folder durable."""
    paths = sorted(folder.iterdir())
    files = {p.name: {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in paths}
    write_json(folder / MANIFEST, {"kind": kind, "version": version, "files": files})
    for path in [*paths, folder / MANIFEST, folder]:
        _fsync(path)
    folder.chmod(0o777 & ~_umask())  # mkdtemp makes private folders


def _rename(aside: Path, folder: Path) -> None:
    """Puts `aside` in the place of `folder`; an older one is moved away first, then deleted."""
    older = None
    if folder.exists():
        older = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
        folder.rename(older / folder.name)
    aside.rename(folder)
    _fsync(folder.parent)
    if older is not None:
        shutil.rmtree(older, ignore_errors=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
