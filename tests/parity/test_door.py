"""The door of every kernel: arrays of another layout are refused by name, and no row is enough.

Reliability matrix: F01 (layout), F03 (type), F05 (aliases), batches without a row.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqrec import _core
from seqrec.errors import DataError

I32, I64 = np.int32, np.int64
ITEMS = {
    "items": np.array([1, 2, 3, 1, 3, 2], I32),
    "starts": np.array([0, 4], I64),
    "stops": np.array([4, 6], I64),
}
TEXTS = {"offsets": np.array([0, 1, 2], I64), "data": np.frombuffer(b"ab", np.uint8)}
SETS = {"set_offsets": np.array([0, 2, 3], I64), "set_members": np.array([1, 2, 3], I32)}
ROWS = {"users": np.array([0, 1], I32), "ks": np.array([0, 0], I32)}
KEY = {"seed": 7, "epoch": 0}
WINDOWS = {"policy": "last", "width": 3, "stride": 3}
POPULARITY = {"popularity": None}
FIRST = {"first": np.array([1, 1, 1, 0, 1, 1], np.uint8)}
EVENTS = {"users": np.array([0, 0, 1, 1], I32), "items": np.array([0, 1, 0, 1], I32)}
TIMES = {"times": np.array([1, 2, 3, 4], I64)}
PAIRS = {
    "positives": np.array([0.5, 1.0], np.float32),
    "negatives": np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], np.float32),
}
SCORES = {"scores": np.array([[0.1, 0.2, 0.3], [0.6, 0.5, 0.4]], np.float32)}
SEEN = {"users": np.array([0, 1], I32), "filter_seen": False}
RESAMPLING = {"resamples": 3, "seed": 0}


def rows(dtype=I64):
    return np.zeros((2, 4), dtype)


# Every argument in its order, by name: what a call that is right looks like.
CALLS = {
    "encode_integers": {"ids": np.array([5, 3, 5], I64)},
    "encode_strings": TEXTS,
    "sort_events": {"users": EVENTS["users"], **TIMES},
    "group_events": {**EVENTS, **TIMES, "keep_times": True, "n_users": 2},
    "mark_repeats": {
        "offsets": np.array([0, 2, 4], I64), "items": EVENTS["items"], **TIMES, "policy": "first",
    },
    "n_core": {**EVENTS, "n_users": 2, "n_items": 2, "min_user": 1, "min_item": 1},
    "first_occurrences": ITEMS,
    "sorted_sets": ITEMS,
    "count_items": {**ITEMS, "n_items": 3},
    "contain": {**ITEMS, "users": ROWS["users"], "targets": np.array([4, 2], I32)},
    "weigh_pairs": {**ITEMS, "window": 2},
    "keyed_hash": {"purpose": "small", "part": "", **TEXTS, "draw": "", "attempt": ""},
    "draw_evaluation_negatives": {
        "purpose": "uniform", "part": "test", **TEXTS, **ITEMS, "users": ROWS["users"],
        "n_items": 5, "draws": 2, "counts": np.array([1, 2, 3, 4, 5], I64),
    },
    "plan_windows": {
        "starts": ITEMS["starts"], "stops": ITEMS["stops"], **WINDOWS, "overlap": 0,
        "min_length": 1, **KEY, "batch_size": 2,
    },
    "plan_targets": {
        **FIRST, "starts": ITEMS["starts"], "stops": ITEMS["stops"], "per_user": 2,
        "max_length": 3, **KEY, "batch_size": 2,
    },
    "fill_next_item": {
        **ITEMS, **ROWS, **WINDOWS, **KEY, "inputs": rows(), "targets": rows(),
    },
    "fill_cloze": {
        **ITEMS, **ROWS, **WINDOWS, "n_items": 3, "mask_prob": 0.5, "last_only_prob": 0.0,
        "keep_prob": 0.0, "random_prob": 0.0, **KEY, "tokens": rows(), "labels": rows(),
    },
    "fill_relevance_sequences": {
        **ITEMS, **FIRST, **SETS, **ROWS, **WINDOWS, "n_items": 5, **POPULARITY, **KEY,
        "inputs": rows(), "positives": rows(), "negatives": rows(), "prefixes": np.zeros(2, I64),
    },
    "fill_relevance_pairs": {
        **ITEMS, **SETS, **ROWS, "positions": np.array([1, 1], I32), "n_items": 5, **POPULARITY,
        **KEY, "tokens": np.zeros((4, 4), I64), "labels": np.zeros(4, np.float32),
    },
    "fill_histories": {**ITEMS, "users": ROWS["users"], "pad_left": True, "tokens": rows()},
    "fill_negatives": {**SETS, **ROWS, "n_items": 5, **POPULARITY, **KEY, "negatives": rows()},
    "alias_table": {"weights": np.array([1.0, 3.0])},
    "rank_counts": {**SCORES, "targets": np.array([1, 3], I32), **ITEMS, **SEEN},
    "top_k": {**SCORES, "k": 2, **ITEMS, **SEEN, "excluded": np.array([2, 3], I32)},
    "rank_metrics": {"ranks": np.array([1.0, 2.5]), "k": 10},
    "bootstrap_means": {"values": np.array([[0.0, 1.0], [2.0, 3.0]]), **RESAMPLING},
    "auc": PAIRS,
    "bootstrap_auc": {**PAIRS, **RESAMPLING},
}  # fmt: skip
ARRAYS = [
    (kernel, name)
    for kernel, call in CALLS.items()
    for name, value in call.items()
    if isinstance(value, np.ndarray)
]
WORDS = [(kernel, name) for kernel, name in ARRAYS if CALLS[kernel][name].itemsize > 1]
MATRICES = [(kernel, name) for kernel, name in ARRAYS if CALLS[kernel][name].ndim == 2]
# Without any user there is nothing to resample and no area; without any item no weight.
NEEDS_ROWS = {"bootstrap_means", "auc", "bootstrap_auc", "alias_table"}


def call(kernel, **changed):
    return getattr(_core, kernel)(*{**CALLS[kernel], **changed}.values())


def strided(array):
    """The same values, every second element of an array twice as large."""
    wide = np.repeat(array, 2, axis=-1)
    return wide[..., ::2]


@pytest.mark.parametrize("kernel", CALLS)
def test_every_kernel_is_called_here(kernel):
    call(kernel)
    assert set(CALLS) == set(_core.__all__) - {"set_threads", "threads"}


@pytest.mark.parametrize(("kernel", "name"), ARRAYS)
def test_f01_an_array_with_gaps_is_refused_by_name(kernel, name):
    with pytest.raises(DataError, match=f"`{name}` must be C-contiguous"):
        call(kernel, **{name: strided(CALLS[kernel][name])})


@pytest.mark.parametrize(("kernel", "name"), ARRAYS)
def test_f01_a_reversed_view_is_refused_by_name(kernel, name):
    with pytest.raises(DataError, match=f"`{name}` must be C-contiguous"):
        call(kernel, **{name: CALLS[kernel][name][::-1]})


@pytest.mark.parametrize(("kernel", "name"), MATRICES)
def test_f01_columns_are_never_taken_for_rows(kernel, name):
    with pytest.raises(DataError, match=f"`{name}` must be C-contiguous"):
        call(kernel, **{name: np.asfortranarray(CALLS[kernel][name])})


@pytest.mark.parametrize(("kernel", "name"), WORDS)
def test_f01_bytes_in_another_order_are_refused_by_name(kernel, name):
    array = CALLS[kernel][name]
    with pytest.raises(TypeError, match=name):
        call(kernel, **{name: array.astype(array.dtype.newbyteorder(">"))})


@pytest.mark.parametrize(("kernel", "name"), ARRAYS)
@pytest.mark.parametrize("dtype", [np.int8, np.complex128, object, "M8[s]"])
def test_f03_another_type_is_refused_by_name(kernel, name, dtype):
    with pytest.raises(TypeError, match=name):
        call(kernel, **{name: CALLS[kernel][name].astype(dtype)})


def test_f05_one_buffer_for_two_outputs_is_refused():
    both = rows()
    with pytest.raises((TypeError, DataError)):
        call("fill_next_item", inputs=both, targets=both)


@pytest.mark.parametrize("kernel", sorted(set(CALLS) - NEEDS_ROWS))
def test_a_batch_of_no_rows_is_no_error(kernel):
    empty = {
        name: value[:1] if name in ("offsets", "set_offsets") else value[:0]
        for name, value in CALLS[kernel].items()
        if isinstance(value, np.ndarray) and name != "counts"
    }
    call(kernel, **empty)


@pytest.mark.parametrize("kernel", sorted(NEEDS_ROWS))
def test_what_needs_a_row_says_so(kernel):
    name = next(name for k, name in ARRAYS if k == kernel)
    empty = {n: CALLS[kernel][n][:0] for k, n in ARRAYS if k == kernel}
    with pytest.raises(DataError, match=f"`{name}` has length 0, but 1 is needed"):
        call(kernel, **empty)
