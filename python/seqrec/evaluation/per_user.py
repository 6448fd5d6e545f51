"""Results user by user, and the check that two of them can be compared."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqrec.errors import DataError
from seqrec.evaluation.protocol import check_same_protocol


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
