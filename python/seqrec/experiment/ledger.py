"""The ledger of a run: a line for each time that its test part was read."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

from seqrec.errors import ResourceError

LEDGER = "ledger.jsonl"


def note_reading(folder: Path, config: str) -> None:
    """Adds a line with the time and the digest of the config, and puts it on disk.

    Raises:
        ResourceError: if it cannot be written: what is not in the ledger must not be reported.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    path = folder / LEDGER
    try:
        with path.open("a", encoding="ascii") as ledger:
            ledger.write(json.dumps({"time": now, "config": config}) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}") from error


def readings(folder: Path) -> int:
    """How often the test part was read."""
    try:
        return len((folder / LEDGER).read_text(encoding="ascii").splitlines())
    except FileNotFoundError:
        return 0
