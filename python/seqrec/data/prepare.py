"""From a raw log to a data set, in the order of the protocol.

1. sort by (user, time), stable in input order (without times: by user alone);
2. drop exact duplicates (user, item, time), then repeats as the policy says;
3. n-core filter to its fixed point, over the whole log (it sees what is held out later);
4. number users and items in raw-id order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import compress
from seqrec.data.dataset import Dataset
from seqrec.errors import DataError

if TYPE_CHECKING:
    from seqrec.data.interactions import Interactions

_POLICIES = ("keep", "first", "drop-consecutive")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What is left out of a log.

    Attributes:
        min_user: users keep at least this many actions (n-core).
        min_item: items keep at least this many actions (n-core).
        repeats: what becomes of an item that a user took before: "keep", "first" (only the first
            stays) or "drop-consecutive" (only the first of a run stays).
    """

    min_user: int = 1
    min_item: int = 1
    repeats: Literal["keep", "first", "drop-consecutive"] = "keep"

    def __post_init__(self) -> None:
        check(self.min_user >= 1, "min_user", self.min_user, "at least 1")
        check(self.min_item >= 1, "min_item", self.min_item, "at least 1")
        check(self.repeats in _POLICIES, "repeats", self.repeats, f"one of {', '.join(_POLICIES)}")


def prepare(log: Interactions, config: PrepareConfig) -> Dataset:
    """The data set of a log.

    Raises:
        DataError: if the n-core filter leaves nothing; says how many actions each round kept.
    """
    n_users = len(log.user_ids)
    events = _Events(*_core.group_events(log.users, log.items, log.times, True, n_users))
    keep, duplicates, repeats = _core.mark_repeats(
        events.offsets, events.items, events.times, config.repeats
    )
    events = events.where(keep)
    keep, rounds = _core_of(events, log, config)
    kept = int(keep.sum())
    if kept == 0:
        steps = " -> ".join(str(count) for count in (len(keep), *rounds.tolist()))
        raise DataError(
            f"{log.source}: the n-core filter (min_user = {config.min_user}, min_item = "
            f"{config.min_item}) leaves nothing; actions kept round by round: {steps}"
        )
    removed: dict[str, Any] = {
        "name": log.source,
        "rows": len(log),
        "duplicates": duplicates,
        "repeats": config.repeats,
        "repeats_dropped": repeats,
        "min_user": config.min_user,
        "min_item": config.min_item,
        "rounds": rounds.tolist(),
        "filtered": len(keep) - kept,
    }
    events = events.where(keep)
    del keep  # a byte for each action, while the audit needs some
    return Dataset.from_events(
        events.offsets, events.items, events.times, log.user_ids, log.item_ids, removed
    )


@dataclass(frozen=True, slots=True)
class _Events:
    """Events of our own making, user by user: what goes makes room for the rest."""

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None

    def where(self, keep: NDArray[np.bool_]) -> _Events:
        if keep.all():
            return self
        dropped = np.flatnonzero(~keep)
        offsets = self.offsets - np.searchsorted(dropped, self.offsets)
        times = None if self.times is None else compress(self.times, keep)
        return _Events(offsets, compress(self.items, keep), times)


def _core_of(
    events: _Events, log: Interactions, config: PrepareConfig
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(keep, events left after each round) of the n-core filter."""
    if config.min_user == config.min_item == 1:
        return np.ones(len(events.items), dtype=np.bool_), np.zeros(0, dtype=np.int64)
    n_users = len(log.user_ids)
    users = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(events.offsets))
    return _core.n_core(
        users, events.items, n_users, len(log.item_ids), config.min_user, config.min_item
    )
