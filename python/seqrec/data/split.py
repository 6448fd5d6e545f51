"""Train, validation and test parts: bounds over the items of a data set, never copies.

leave_one_out: of a user's actions s_1..s_n (n >= 3), train on s_1..s_{n-2}, validate on
s_1..s_{n-2} -> s_{n-1}, test on s_1..s_{n-1} -> s_n. Users with fewer actions train only.
global_time: train on events before the first cut; validation (first to second cut) and test (from
the second cut on) take each user's last event in that stretch as target, all before it as input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.config import check
from seqrec.data.arrays import check_array
from seqrec.data.sequences import Sequences
from seqrec.errors import DataError

if TYPE_CHECKING:
    from seqrec.data.dataset import Dataset

SplitName = Literal["leave_one_out", "global_time"]
PROTOCOL_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The users of a part that are evaluated, each with an input and the item that follows it.

    Attributes:
        name: "valid" or "test".
        users: int32 [M], ascending.
        inputs: the inputs of *all* users of the data set; `inputs.user(u)` for u in `users`.
        targets: int32 [M], the item that users[i] took right after inputs.user(users[i]).
    """

    name: Literal["valid", "test"]
    users: NDArray[np.int32]
    inputs: Sequences
    targets: NDArray[np.int32]

    def __post_init__(self) -> None:
        check_array(f"part {self.name}", "users", self.users, np.int32)
        check_array(f"part {self.name}", "targets", self.targets, np.int32)

    @property
    def through_target(self) -> Sequences:
        """Input and target of the users of the part; the inputs of all others."""
        stops = self.inputs.stops.copy()
        stops[self.users] += 1
        return Sequences(self.inputs.items, self.inputs.starts, stops)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A data set cut into what is trained on and what is evaluated.

    Attributes:
        name: "leave_one_out" or "global_time".
        dataset: what was cut.
        train: the training part of all users.
        valid: the validation part.
        test: the test part.
        filter_seen: the protocol's default: items of the input are filtered from rankings when the
            training part has no repeated (user, item) pair.
        not_evaluated: leave_one_out: users with fewer than 3 actions; global_time: users with
            events after the first cut but none before it.
        item_counts: how often each item 1..=N occurs in the training part, int64 [N].
        cuts: the two times of global_time.
    """

    name: SplitName
    dataset: Dataset
    train: Sequences
    valid: Part
    test: Part
    filter_seen: bool
    not_evaluated: int
    item_counts: NDArray[np.int64]
    cuts: tuple[int, int] | None = None

    def protocol(self) -> dict[str, Any]:
        """What every number on this split has in common, as plain values."""
        cuts = {} if self.cuts is None else {"cuts": list(self.cuts)}
        return {
            "version": PROTOCOL_VERSION,
            "split": self.name,
            **cuts,
            "data": self.dataset.fingerprint,
            "catalogue": self.dataset.n_items,
        }

    def part(self, name: str) -> Part:
        """The part called "valid" or "test".

        Raises:
            ConfigError: for another name.
        """
        check(name in ("valid", "test"), "part", name, "'valid' or 'test'")
        return self.valid if name == "valid" else self.test

    def with_validation(self) -> Split:
        """The same parts, with the validation targets in the training part: to refit a model.

        What has been chosen on validation can be trained again on all that is older than the test.
        """
        train, dataset = self.valid.through_target, self.dataset
        if self.cuts is not None:
            # Users who began after the first cut are in no part, and have events before the second.
            assert dataset.times is not None  # they were cut
            before = _events_before(self.cuts[1], dataset.times, dataset.offsets)
            train = Sequences(train.items, train.starts, train.starts + before)
        counts = item_counts(train, dataset.n_items)
        return dataclasses.replace(self, train=train, item_counts=counts)

    def cold_targets(self, part: Part) -> NDArray[np.bool_]:
        """Which targets of a part have no training event: bool [M]."""
        return self.item_counts[part.targets - 1] == 0


def item_counts(sequences: Sequences, n_items: int) -> NDArray[np.int64]:
    """How often each item 1..=N occurs in the sequences: int64 [N]."""
    return _core.count_items(sequences.items, sequences.starts, sequences.stops, n_items)


def item_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(count_j + 1) / (total + N) of `item_counts` [N]: float64 [N], sums to 1, never 0."""
    smoothed = counts + 1.0
    return smoothed / smoothed.sum()


def leave_one_out(dataset: Dataset) -> Split:
    """Each user's last item for the test, the one before it for validation.

    Raises:
        DataError: if no user has 3 actions.
    """
    starts, stops = dataset.offsets[:-1], dataset.offsets[1:]
    evaluated = stops - starts >= 3
    if not evaluated.any():
        longest = int((stops - starts).max(initial=0))
        raise DataError(
            f"leave_one_out: none of the {dataset.n_users} users has 3 actions (most: {longest})"
        )
    train = stops - np.where(evaluated, 2, 0)
    history = stops - np.where(evaluated, 1, 0)
    users = np.flatnonzero(evaluated).astype(np.int32)
    return _split(
        "leave_one_out", dataset, train, (users, train), (users, history), int((~evaluated).sum())
    )


def split_options(protocol: Mapping[str, Any]) -> str:
    """What a command has to be told to cut as a protocol says, behind a space; "" by default."""
    cuts = protocol.get("cuts")
    return "" if cuts is None else f" --split {protocol['split']} --cuts {cuts[0]} {cuts[1]}"


def global_time(dataset: Dataset, cuts: tuple[int, int] | None = None) -> Split:
    """One clock for everybody: nothing that is trained on is later than anything evaluated.

    Args:
        dataset: needs timestamps.
        cuts: the two times, in the unit of the timestamps; None: the 0.8 and 0.9 quantiles of all
            timestamps, taken by sorted position: the times at places floor(0.8 E) and floor(0.9 E)
            (0-based) of the E sorted times. Events of one time are never torn apart.

    Raises:
        ConfigError: for cuts that are not two integers in order.
        DataError: if there are no timestamps, or a part is empty.
    """
    if dataset.times is None:
        raise DataError(
            "global_time needs timestamps and this data set has none: name the column (time_col), "
            "or use leave_one_out"
        )
    first, second = _quantile_cuts(dataset.times) if cuts is None else _two_times(cuts)
    starts, stops = dataset.offsets[:-1], dataset.offsets[1:]
    train = starts + _events_before(first, dataset.times, dataset.offsets)
    middle = starts + _events_before(second, dataset.times, dataset.offsets)
    known = train > starts
    parts = {"train": known, "valid": known & (middle > train), "test": known & (stops > middle)}
    if not all(part.any() for part in parts.values()):
        raise DataError(
            f"global_time: a part is empty at cuts {first} and {second}: "
            f"{int((train - starts).sum())} events before the first, {int((middle - train).sum())} "
            f"between, {int((stops - middle).sum())} from the second on; with a training history, "
            f"{int(parts['valid'].sum())} users to validate and {int(parts['test'].sum())} to test"
        )
    valid_users, test_users = (np.flatnonzero(parts[n]).astype(np.int32) for n in ("valid", "test"))
    # Users outside a part keep their training bounds as input: nobody asks for them.
    valid_stops = np.where(parts["valid"], middle - 1, train)
    test_stops = np.where(parts["test"], stops - 1, train)
    left_out = int((~known & (stops > starts)).sum())
    return _split(
        "global_time", dataset, train, (valid_users, valid_stops), (test_users, test_stops),
        left_out, cuts=(first, second),
    )  # fmt: skip


def _split(
    name: SplitName,
    dataset: Dataset,
    train_stops: NDArray[np.int64],
    valid: tuple[NDArray[np.int32], NDArray[np.int64]],
    test: tuple[NDArray[np.int32], NDArray[np.int64]],
    not_evaluated: int,
    cuts: tuple[int, int] | None = None,
) -> Split:
    starts = dataset.offsets[:-1]
    train = Sequences(dataset.items, starts, train_stops)
    parts: dict[str, Part] = {}
    for part_name, (users, stops) in (("valid", valid), ("test", test)):
        targets = dataset.items[stops[users]]
        inputs = Sequences(dataset.items, starts, stops)
        parts[part_name] = Part(part_name, users, inputs, targets)  # type: ignore[arg-type]
    _, distinct = _core.sorted_sets(train.items, train.starts, train.stops)
    return Split(
        name=name, dataset=dataset, train=train, valid=parts["valid"], test=parts["test"],
        filter_seen=len(distinct) == train.n_events, not_evaluated=not_evaluated,
        item_counts=item_counts(train, dataset.n_items), cuts=cuts,
    )  # fmt: skip


def _two_times(cuts: Any) -> tuple[int, int]:
    """The cuts as integers. Timestamps are integers: a fraction would be lost with the split."""
    given = list(cuts) if isinstance(cuts, Iterable) and not isinstance(cuts, str) else []
    fits = len(given) == 2 and all(
        isinstance(cut, int | np.integer) and not isinstance(cut, bool) for cut in given
    )
    rule = "two integers in the unit of the timestamps, the first before the second"
    check(fits and given[0] < given[1], "cuts", cuts, rule)
    return int(given[0]), int(given[1])


def _quantile_cuts(times: NDArray[np.int64]) -> tuple[int, int]:
    places = len(times) * 8 // 10, len(times) * 9 // 10
    ordered = np.partition(times, places)
    first, second = int(ordered[places[0]]), int(ordered[places[1]])
    if first == second:
        raise DataError(
            f"global_time: the 0.8 and 0.9 quantiles of all timestamps are both {first}, so there "
            "is no time for validation: give the cuts (--cuts FIRST SECOND; cuts= from Python)"
        )
    return first, second


def _events_before(
    cut: int, times: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many events of each user are before the cut: int64 [U]."""
    before = np.zeros(len(times) + 1, dtype=np.int64)
    np.cumsum(times < cut, out=before[1:])
    return before[offsets[1:]] - before[offsets[:-1]]
