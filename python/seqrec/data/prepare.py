"""From a raw log to a data set, in the order of the protocol.

1. sort by (user, time), stable in input order (without times: by user alone);
2. drop exact duplicates (user, item, time), then repeats as the policy says;
3. n-core filter to its fixed point, over the whole log (it sees what is held out later);
4. number users and items in raw-id order.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import compress
from seqrec.data.dataset import Dataset
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError

if TYPE_CHECKING:
    from seqrec.data.interactions import Interactions

_POLICIES = ("keep", "first", "drop-consecutive")
_A_UNIT = 10**8  # a number from which on a time is taken for one since 1970, in any unit

logger = logging.getLogger(__name__)


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
        for name in ("min_user", "min_item"):
            least = getattr(self, name)
            is_whole = isinstance(least, int | np.integer) and not isinstance(least, bool)
            rule = "an integer, at least 1 and below 2^31"
            check(is_whole and 1 <= int(least) < 2**31, name, least, rule)
        check(self.repeats in _POLICIES, "repeats", self.repeats, f"one of {', '.join(_POLICIES)}")


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a log, user by user and oldest first: nothing of the log itself is in them.

    Attributes:
        offsets: int64 [len(user_ids) + 1]; user code u has the events offsets[u]..offsets[u + 1].
        items: int32 [E], codes of `item_ids`.
        times: int64 [E], or None.
        user_ids: raw ids of the user codes.
        item_ids: raw ids of the item codes.
        source: what was read.
        n_rows: how many rows the log has.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None
    user_ids: Vocabulary
    item_ids: Vocabulary
    source: str
    n_rows: int

    @classmethod
    def of(cls, log: Interactions) -> Events:
        """Sorts the rows of a log, which may go then: 16 bytes for each."""
        grouped = _core.group_events(log.users, log.items, log.times, True, len(log.user_ids))
        return cls(*grouped, log.user_ids, log.item_ids, log.source, len(log))

    def where(self, keep: NDArray[np.bool_]) -> Events:
        """The events to keep, in the same memory: what goes makes room for the rest."""
        if keep.all():
            return self
        dropped = np.flatnonzero(~keep)
        offsets = self.offsets - np.searchsorted(dropped, self.offsets)
        times = None if self.times is None else compress(self.times, keep)
        return replace(self, offsets=offsets, items=compress(self.items, keep), times=times)


def prepare(events: Events, config: PrepareConfig) -> Dataset:
    """The data set of a log, whose events are taken over and written to.

    Raises:
        DataError: if the n-core filter leaves nothing; says how many actions each round kept.
    """
    keep, duplicates, repeats = _core.mark_repeats(
        events.offsets, events.items, events.times, config.repeats
    )
    events = events.where(keep)
    keep, rounds = _core_of(events, config)
    kept = int(keep.sum())
    if kept == 0:
        steps = " -> ".join(str(count) for count in (len(keep), *rounds.tolist()))
        raise DataError(
            f"{events.source}: the n-core filter (min_user = {config.min_user}, min_item = "
            f"{config.min_item}) leaves nothing; actions kept round by round: {steps}"
        )
    removed: dict[str, Any] = {
        "name": events.source,
        "rows": events.n_rows,
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
    dataset = Dataset.from_events(
        events.offsets, events.items, events.times, events.user_ids, events.item_ids, removed
    )
    _warn_of_mixed_units(events.source, dataset.audit["times"])
    return dataset


def _warn_of_mixed_units(source: str, times: list[int] | None) -> None:
    """Warns of first and last times that no one unit since 1970 makes plausible: 1973 and 2286."""
    if times is not None and times[0] >= _A_UNIT and times[1] >= 100 * times[0]:
        logger.warning(
            "%s: timestamps from %d to %d: it seems that some are in seconds and some in "
            "milliseconds (or finer), which are sorted as numbers all the same",
            source, *times,
        )  # fmt: skip


def _core_of(events: Events, config: PrepareConfig) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(keep, events left after each round) of the n-core filter."""
    if config.min_user == config.min_item == 1:
        return np.ones(len(events.items), dtype=np.bool_), np.zeros(0, dtype=np.int64)
    n_users = len(events.user_ids)
    users = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(events.offsets))
    return _core.n_core(
        users, events.items, n_users, len(events.item_ids), config.min_user, config.min_item
    )
