"""The one safe artifact: a folder of safetensors, JSON documents and a manifest with digests.

Nothing in it can run code: there is no pickle, neither written nor read. It is written into a new
folder beside the old one, every file is fsynced, and only the complete folder takes the name, so
that a crash at any point leaves the old artifact or the new one. POSIX cannot replace a full folder
in one step: for an instant the old one is called `.NAME.old`, which loading knows.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from seqrec.errors import CheckpointError, ResourceError
from seqrec.training.manifest import (
    DOCUMENT,
    FORMAT,
    MANIFEST,
    NAME,
    TENSORS,
    VERSION,
    allowed,
    check_file,
    digest,
    listed_files,
    parse,
    to_json,
)

_SYSTEM_ERROR = re.compile(r"os error (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What an artifact holds.

    Attributes:
        tensors: file stem -> name -> tensor, on the CPU when loaded.
        documents: file stem -> plain JSON value.
    """

    tensors: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)


def save_artifact(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], documents: Mapping[str, Any]
) -> None:
    """Writes an artifact, replacing one of the same name only when the new one is complete.

    Args:
        folder: its place; parents are made.
        tensors: file stem -> name -> tensor of any device.
        documents: file stem -> plain JSON value, without NaN.

    Raises:
        ResourceError: if it cannot be written (names the path and the size), or if `folder` holds
            anything but an artifact. What was there is untouched, and nothing is left beside it.
    """
    folder = Path(os.path.realpath(folder))
    new = folder.with_name(f".{folder.name}.new-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        new.mkdir(parents=True)
        _recover(folder)
        _refuse_foreign(folder)
        _write_files(new, tensors, documents)
        _take_place(new, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, ResourceError):
            raise
        needed = sum(t.nbytes for file in tensors.values() for t in file.values())
        reason = _reason(error)
        raise ResourceError(
            f"cannot write {folder}: {reason} (it needs about {needed:,} bytes); "
            "what was saved there before is intact"
        ) from error
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def load_artifact(folder: Path) -> Artifact:
    """Reads an artifact, after checking every name, size and digest against its manifest.

    Raises:
        CheckpointError: naming the file and what is wrong with it; nothing is loaded in part.
    """
    while True:
        place = _place(folder)
        try:
            # Open, its inode is not given to another folder: the comparison below can be trusted.
            held = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            if _place(folder).exists():
                continue
            raise CheckpointError(f"{folder} does not exist") from None
        except OSError as error:
            raise _as_checkpoint_error(error, place) from None
        try:
            saved = _read_files(place)
            if _is_current(folder, place, held):
                return saved
        except (CheckpointError, OSError) as error:
            if _is_current(folder, place, held):
                raise _as_checkpoint_error(error, place) from None
        finally:
            os.close(held)
        # A running training put a newer artifact in its place meanwhile: read that one.


def exists(folder: Path) -> bool:
    """Whether there is anything at the place of an artifact."""
    return _place(folder).exists()


def remove_leftovers(parent: Path) -> None:
    """Removes what killed writers left in `parent`, which nobody else may be writing to."""
    for path in parent.glob(".*.new-*"):
        shutil.rmtree(path, ignore_errors=True)


def check_state(model: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Checks that `tensors` are exactly the state of `model`: names, shapes and dtypes.

    Raises:
        CheckpointError: listing all differences, after the name of the `source`.
    """
    state = model.state_dict()
    wrong = [f"missing {name}" for name in state if name not in tensors]
    wrong += [f"unexpected {name}" for name in tensors if name not in state]
    for name in sorted(set(state) & set(tensors)):
        here, there = state[name], tensors[name]
        if here.shape != there.shape:
            wrong.append(f"{name} has shape {list(there.shape)}, not {list(here.shape)}")
        if here.dtype != there.dtype:
            wrong.append(f"{name} is {there.dtype}, not {here.dtype}")
    if wrong:
        raise CheckpointError(f"{source} does not fit the model: {'; '.join(wrong)}")


def _write_files(
    new: Path, tensors: Mapping[str, Mapping[str, Tensor]], documents: Mapping[str, Any]
) -> None:
    for stem, named in tensors.items():
        safetensors.torch.save_file(_storable(named), allowed(new / f"{stem}{TENSORS}"))
    for stem, document in documents.items():
        allowed(new / f"{stem}{DOCUMENT}").write_bytes(to_json(document))
    files = {}
    for path in sorted(new.iterdir()):
        _fsync(path)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
    manifest = new / MANIFEST
    manifest.write_bytes(to_json({"format": FORMAT, "version": VERSION, "files": files}))
    _fsync(manifest)
    _fsync(new)


def _storable(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, contiguous, and each in memory of its own (tied weights are stored twice)."""
    stored: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in named.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        stored[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return stored


def _take_place(new: Path, folder: Path) -> None:
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
    _fsync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Ends what a writer that was killed between two renames had begun."""
    old = _old(folder)
    if not old.exists():
        return
    if folder.exists():
        shutil.rmtree(old)
    else:
        old.rename(folder)


def _refuse_foreign(folder: Path) -> None:
    """An artifact may be replaced, and an empty folder; a folder of other files never."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ResourceError(f"cannot write {folder}: it is a file; choose another folder")
    names = sorted(path.name for path in folder.iterdir())
    foreign = [name for name in names if not NAME.fullmatch(name)]
    if names and (foreign or MANIFEST not in names):
        raise ResourceError(
            f"cannot write {folder}: it holds {(foreign or names)[0]!r}, which is no part of an "
            "artifact; choose another folder"
        )


def _read_files(folder: Path) -> Artifact:
    files = listed_files(folder)
    tensors: dict[str, Mapping[str, Tensor]] = {}
    documents: dict[str, Any] = {}
    for name, expected in files.items():
        check_file(folder / name, expected)
    for name in files:
        path = folder / name
        if path.suffix == DOCUMENT:
            documents[path.stem] = parse(path)
            continue
        try:
            tensors[path.stem] = safetensors.torch.load_file(path)
        except (SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{path} is no valid safetensors file: {error}") from None
    return Artifact(tensors=tensors, documents=documents)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _place(folder: Path) -> Path:
    folder = Path(os.path.realpath(folder))
    return _old(folder) if not folder.exists() and _old(folder).is_dir() else folder


def _as_checkpoint_error(error: CheckpointError | OSError, place: Path) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    return CheckpointError(f"{error.filename or place} cannot be read: {error.strerror}")


def _is_current(folder: Path, place: Path, held: int) -> bool:
    """Whether the artifact is still at the place where the folder that is held open was read."""
    try:
        return place == _place(folder) and os.path.samestat(place.stat(), os.fstat(held))
    except FileNotFoundError:
        return False


def _reason(error: OSError | SafetensorError) -> str:
    """What the system said, also where safetensors has wrapped it: `... (os error 28)`."""
    number = _SYSTEM_ERROR.search(str(error))
    if number:
        return os.strerror(int(number.group(1)))
    return getattr(error, "strerror", None) or str(error)
