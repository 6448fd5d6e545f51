"""The audit of a data set: what it holds, what was removed, and what an evaluation should know.

It is made once, by `prepare`, and stored with the data set. The evaluation figures are those of the
leave-one-out split.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.data.arrays import count_codes
from seqrec.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from seqrec.data.dataset import Dataset

_QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9, "q99": 0.99,
              "max": 1.0}  # fmt: skip

_PIECE = 1 << 21  # events that are sorted at a time: a copy of all of them would not always fit


def fingerprint(
    offsets: NDArray[np.int64],
    items: NDArray[np.int32],
    times: NDArray[np.int64] | None,
    user_ids: Vocabulary,
    item_ids: Vocabulary,
) -> str:
    """SHA-256 (hex) of the content: offsets, items, times and the texts of all raw ids.

    Each array is preceded by its name and length, and is read as little-endian.
    """
    digest = hashlib.sha256()
    arrays: list[tuple[str, NDArray[Any]]] = [("offsets", offsets), ("items", items)]
    if times is not None:
        arrays.append(("times", times))
    for name, vocabulary in (("users", user_ids), ("catalogue", item_ids)):
        places, data = vocabulary.texts()
        arrays += [(f"{name}.offsets", places), (f"{name}.bytes", data)]
    for name, array in arrays:
        digest.update(f"{name}:{len(array)};".encode())
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little).view(np.uint8).data)
    return digest.hexdigest()


def build_audit(dataset: Dataset, removed: dict[str, Any]) -> dict[str, Any]:
    """All figures of the audit but the fingerprint, as plain values that JSON can hold.

    Args:
        dataset: its `audit` and `fingerprint` are not read.
        removed: rows read and removed on the way from the source; kept under "source".
    """
    lengths, times = np.diff(dataset.offsets), dataset.times
    quantiles = np.quantile(lengths, list(_QUANTILES.values()), method="inverted_cdf")
    return {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "actions": dataset.n_events,
        "density": dataset.n_events / (dataset.n_users * dataset.n_items),
        "ids": {"users": _kind(dataset.user_ids), "items": _kind(dataset.item_ids)},
        "times": None if times is None else [int(times.min()), int(times.max())],
        "lengths": {
            "mean": dataset.n_events / dataset.n_users,
            **dict(zip(_QUANTILES, map(int, quantiles), strict=True)),
        },
        "repeated_pairs": _repeated_pairs(dataset),
        "same_time_share": _same_time_share(dataset),
        "leave_one_out": _evaluation(dataset),
        "source": removed,
    }


def render(audit: dict[str, Any]) -> str:
    """The audit as an aligned table of two columns, one figure a line."""
    rows: list[tuple[str, str]] = []
    for label, value in _lines(audit):
        rows.append((label, _format(value)))
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows)


def _lines(audit: dict[str, Any]) -> list[tuple[str, Any]]:
    lengths, source, evaluation = audit["lengths"], audit["source"], audit["leave_one_out"]
    has_times = audit["same_time_share"] is not None
    quantiles = " / ".join(f"{lengths[name]:,}" for name in _QUANTILES)
    lines = [
        ("users", audit["users"]),
        ("items", audit["items"]),
        ("actions", audit["actions"]),
        ("density", f"{audit['density']:.4%}"),
        ("actions per user, mean", f"{lengths['mean']:.1f}"),
        (f"actions per user, {' / '.join(_QUANTILES)}", quantiles),
        ("rows read", source["rows"]),
        ("exact duplicates dropped", source["duplicates"]),
        (f"repeats dropped (repeats = {source['repeats']})", source["repeats_dropped"]),
        (f"actions filtered (min_user = {source['min_user']}, min_item = {source['min_item']}, "
         f"rounds: {len(source['rounds'])})", source["filtered"]),
        ("repeated (user, item) pairs kept", audit["repeated_pairs"]),
        ("rows with the previous row's time", _share(audit["same_time_share"])),
        ("leave-one-out: users evaluated", evaluation["evaluated"]),
        ("leave-one-out: users not evaluated (fewer than 3 actions)",
         evaluation["not_evaluated"]),
        ("leave-one-out: cold validation targets", evaluation["cold_valid"]),
        ("leave-one-out: cold test targets", evaluation["cold_test"]),
        ("leave-one-out: training events later than a user's test event",
         "nobody is evaluated" if has_times and not evaluation["evaluated"]
         else _share(evaluation["later_share"])),
        ("fingerprint", audit["fingerprint"]),
    ]  # fmt: skip
    if "ids" in audit:  # data sets that were prepared before these were told lack them
        lines.insert(4, ("ids of users, of items", " / ".join(audit["ids"].values())))
        if has_times:
            lines.insert(5, ("timestamps, first / last", " / ".join(map(str, audit["times"]))))
    if "small_of" in source:
        lines.insert(-1, ("small: a tenth of the users of", source["small_of"]))
    return lines


def _kind(vocabulary: Vocabulary) -> str:
    return "integers" if vocabulary.is_integer else "text"


def _share(value: float | None) -> str:
    return "no timestamps" if value is None else f"{value:.2%}"


def _format(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _repeated_pairs(dataset: Dataset) -> int:
    """Actions on an item that the user has taken before."""
    sequences = dataset.sequences
    first = _core.first_occurrences(sequences.items, sequences.starts, sequences.stops)
    return dataset.n_events - int(np.count_nonzero(first))


def _same_time_share(dataset: Dataset) -> float | None:
    """Share of all rows whose time equals that of the row before them, of the same user."""
    if dataset.times is None:
        return None
    same = dataset.times[1:] == dataset.times[:-1]
    same[dataset.offsets[1:-1] - 1] = False  # the first row of a user has no row before it
    return float(same.sum() / dataset.n_events)


def _evaluation(dataset: Dataset) -> dict[str, Any]:
    """Counts of the leave-one-out split, also where it evaluates nobody."""
    starts, stops = dataset.offsets[:-1], dataset.offsets[1:]
    evaluated = stops - starts >= 3
    train = np.ones(dataset.n_events, dtype=bool)
    train[stops[evaluated] - 1] = False
    train[stops[evaluated] - 2] = False
    last = {"cold_valid": stops[evaluated] - 2, "cold_test": stops[evaluated] - 1}
    counts = count_codes(dataset.items, dataset.n_items + 1)
    for places in last.values():
        counts -= count_codes(dataset.items[places], dataset.n_items + 1)
    cold = {name: int((counts[dataset.items[places]] == 0).sum()) for name, places in last.items()}
    later = None
    if dataset.times is not None and evaluated.any():
        later = _later_share(dataset.times, train, dataset.times[stops[evaluated] - 1])
    return {
        "evaluated": int(evaluated.sum()),
        "not_evaluated": int((~evaluated).sum()),
        **cold,
        "later_share": later,
    }


def _later_share(
    times: NDArray[np.int64], train: NDArray[np.bool_], test_times: NDArray[np.int64]
) -> float:
    """Mean over users of the share of all training events that are later than their test event."""
    asked = np.sort(test_times)
    later, total = 0, 0
    for start in range(0, len(times), _PIECE):
        piece = slice(start, start + _PIECE)
        ordered = np.sort(times[piece][train[piece]])
        places = np.searchsorted(ordered, asked, side="right")
        later += len(ordered) * len(asked) - int(places.sum())
        total += len(ordered)
    return later / len(asked) / total
