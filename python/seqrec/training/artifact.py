"""The one safe artifact: a folder of safetensors and JSON documents, whole or not there.

Nothing in it can run code: there is no pickle, neither written nor read. `seqrec.folder` says how
it is written and what is checked before any of it is parsed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from seqrec.errors import CheckpointError, ResourceError
from seqrec.files import read_json, write_json
from seqrec.folder import Entries, Kind, read_document, read_folder, whole_folder

TENSORS, DOCUMENT = ".safetensors", ".json"
ARTIFACT = Kind(
    format="seqrec-artifact",
    version=1,
    suffixes=(TENSORS, DOCUMENT),
    unreadable=CheckpointError,
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
    folder: Path,
    tensors: Mapping[str, Mapping[str, Tensor]],
    documents: Mapping[str, Any],
    *,
    replace: bool = True,
) -> None:
    """Writes an artifact, replacing one of the same name only when the new one is complete.

    Args:
        folder: its place; parents are made.
        tensors: file stem -> name -> tensor of any device.
        documents: file stem -> plain JSON value, without NaN.
        replace: whether there may be an artifact at its place.

    Raises:
        ResourceError: if it cannot be written (names the path and the size), if `folder` holds
            what may not be replaced, or `refuse_name` does. What was there is untouched, and
            nothing is left beside it.
    """
    refuse_name(folder)
    needs = sum(tensor.nbytes for named in tensors.values() for tensor in named.values())
    with whole_folder(folder, ARTIFACT, replace=replace, needs=needs) as new:
        for stem, named in tensors.items():
            _save_tensors(new / f"{stem}{TENSORS}", named)
        for stem, document in documents.items():
            write_json(new / f"{stem}{DOCUMENT}", document)


def refuse_name(folder: Path) -> None:
    """Raises ResourceError for a place by whose name safetensors could not read the weights."""
    try:
        os.path.realpath(folder).encode()
    except OSError as error:  # the working folder is gone
        raise ResourceError(f"cannot use {folder}: {error.strerror}") from None
    except UnicodeEncodeError:
        raise ResourceError(
            f"{folder} is no valid UTF-8, which safetensors wants: rename it"
        ) from None


def load_artifact(folder: Path) -> Artifact:
    """Reads an artifact, after checking every name, size and digest against its manifest.

    Raises:
        CheckpointError: naming the file and what is wrong with it; nothing is loaded in part.
    """
    return read_folder(folder, ARTIFACT, _read)


def load_document(folder: Path, stem: str) -> Any:
    """One document of an artifact, without reading its tensors.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    return read_document(folder, ARTIFACT, f"{stem}{DOCUMENT}")


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


def _save_tensors(path: Path, named: Mapping[str, Tensor]) -> None:
    path.touch()  # with the mode that any new file has: safetensors' own is for the owner alone
    mode = path.stat().st_mode
    try:
        safetensors.torch.save_file(_storable(named), path)
        path.chmod(stat.S_IMODE(mode))
    except SafetensorError as error:
        # It wraps what the system said in text of its own: `... (os error 28)`.
        number = _SYSTEM_ERROR.search(str(error))
        if number is None:
            raise ResourceError(f"cannot write {path}: {error}") from error
        raise OSError(int(number.group(1)), os.strerror(int(number.group(1)))) from error


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


def _read(place: Path, files: Entries) -> Artifact:
    tensors: dict[str, Mapping[str, Tensor]] = {}
    documents: dict[str, Any] = {}
    for name in files:
        path = place / name
        if path.suffix == DOCUMENT:
            documents[path.stem] = read_json(path, CheckpointError)
            continue
        try:
            tensors[path.stem] = safetensors.torch.load_file(path)
        except (SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{path} is no valid safetensors file: {error}") from None
    return Artifact(tensors=tensors, documents=documents)
