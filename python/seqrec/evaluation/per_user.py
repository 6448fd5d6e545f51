"""Results user by user: raw ids, files, and the check that two of them can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError
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


def raw_id(vocabulary: Vocabulary, code: int | np.integer) -> str:
    """How a message names a user or an item: its raw id, strings in quotes."""
    return repr(vocabulary.decode(np.array([code])).tolist()[0])


def write_table(path: Path, table: pa.Table) -> None:
    """Writes Parquet, whole or not at all.

    Raises:
        ResourceError: if the file cannot be written.
    """
    with whole_file(path) as aside:
        pq.write_table(table, aside)


def check_same_users(first: Evaluated, second: Evaluated) -> None:
    """Raises DataError unless both were evaluated on the same pairs by the same protocol."""
    for key in {**first.protocol, **second.protocol}:
        one, two = first.protocol.get(key), second.protocol.get(key)
        if one != two:
            raise DataError(
                f"the runs cannot be compared: `{key}` is {one!r} in one and {two!r} in the other"
            )
    same = np.array_equal(first.users, second.users)
    if not same or not np.array_equal(first.targets, second.targets):
        raise DataError(
            "the runs cannot be compared: they were evaluated on "
            f"{len(first.users)} and {len(second.users)} users who are not the same, in order, "
            "with the same targets"
        )
