"""Results user by user: their files, and the check that two of them can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seqrec.errors import DataError
from seqrec.evaluation.protocol import check_same_protocol
from seqrec.files import whole_file


class Evaluated(Protocol):
    """What both tasks' results have in common."""

    @property
    def users(self) -> NDArray[np.int32]:
        """User codes, int32 [M]."""
        ...

    @property
    def targets(self) -> NDArray[np.int32]:
        """Item ids, int32 [M]."""
        ...

    @property
    def protocol(self) -> dict[str, Any]:
        """The rules that were used."""
        ...


def write_table(path: Path, table: pa.Table) -> None:
    """Writes Parquet, whole or not at all.

    Raises:
        ResourceError: if the file cannot be written.
    """
    with whole_file(path) as aside:
        pq.write_table(table, aside)


def check_same_users(first: Evaluated, second: Evaluated) -> None:
    """Raises DataError unless both were evaluated on the same pairs by the same protocol."""
    check_same_protocol(first.protocol, second.protocol)
    same = np.array_equal(first.users, second.users)
    if not same or not np.array_equal(first.targets, second.targets):
        raise DataError(
            "the runs cannot be compared: they were evaluated on "
            f"{len(first.users)} and {len(second.users)} users who are not the same, in order, "
            "with the same targets"
        )
