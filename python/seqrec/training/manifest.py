"""What an artifact may hold, and the checks that come before anything of it is parsed.

`manifest.json` gives the format, its version, and the size and SHA-256 of every other file. Files
it does not list, files that are missing, links and odd names are refused, and so is JSON that a
parser could choke on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from seqrec.errors import CheckpointError

FORMAT = "seqrec-artifact"
VERSION = 1
MANIFEST = "manifest.json"
TENSORS, DOCUMENT = ".safetensors", ".json"
LARGEST_DOCUMENT = 64 * 2**20  # bytes of JSON that loading is ready to parse
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.(safetensors|json)")


def listed_files(folder: Path) -> dict[str, dict[str, Any]]:
    """The files that the manifest lists, which are those of the folder: no more, no fewer."""
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise CheckpointError(f"{folder} {kind}: an artifact is a folder with {MANIFEST} in it")
    path = folder / MANIFEST
    manifest = parse(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no manifest of a {FORMAT}")
    version = manifest.get("version")
    if version != VERSION or isinstance(version, bool):
        raise CheckpointError(
            f"{path} has format version {version!r}, and this seqrec reads version {VERSION}: "
            "use the release that wrote it"
        )
    files = manifest.get("files")
    if set(manifest) != {"format", "version", "files"} or not isinstance(files, dict):
        raise CheckpointError(f"{path} has other entries than format, version and files")
    for name, expected in files.items():
        if not NAME.fullmatch(name) or name == MANIFEST:
            raise CheckpointError(f"{path} lists {name[:80]!r}, which is no allowed file name")
        if not isinstance(expected, dict) or set(expected) != {"bytes", "sha256"}:
            raise CheckpointError(f"{path} does not give bytes and sha256 of {name}")
    present = {entry.name for entry in os.scandir(folder)} - {MANIFEST}
    for name in sorted(present - set(files)):
        raise CheckpointError(f"{folder / name} is not listed in {MANIFEST}: it is not read")
    for name in sorted(set(files) - present):
        raise CheckpointError(f"{folder / name} is missing")
    return files


def check_file(path: Path, expected: Mapping[str, Any]) -> None:
    """Checks that the file is a regular one of the listed size and digest.

    Raises:
        CheckpointError: naming the file and what is wrong.
    """
    _refuse_link(path)
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise CheckpointError(f"{path} has {size} bytes, and {MANIFEST} says {expected['bytes']}")
    if digest(path) != expected["sha256"]:
        raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")


def _refuse_link(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        state = "is a link or no regular file" if os.path.lexists(path) else "is missing"
        raise CheckpointError(f"{path} {state}")


def parse(path: Path) -> Any:
    """JSON without duplicate keys, NaN, endless nesting or endless size."""
    _refuse_link(path)
    if path.stat().st_size > LARGEST_DOCUMENT:
        raise CheckpointError(f"{path} is larger than {LARGEST_DOCUMENT:,} bytes")
    try:
        return json.loads(
            path.read_bytes(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no valid JSON document: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:80]!r} occurs twice")
    return table


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def to_json(document: Any) -> bytes:
    """The document as bytes; NaN, which JSON does not have, is refused."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def allowed(path: Path) -> Path:
    """The path, if its name is one that an artifact may hold."""
    if not NAME.fullmatch(path.name) or path.name == MANIFEST:
        raise CheckpointError(f"{path.name!r} is no allowed file name of an artifact")
    return path


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
