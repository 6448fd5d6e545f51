from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import topk as reference
from seqrec import _core
from seqrec.errors import ConfigError, DataError, OutOfMemoryError


def top_k(scores, k, histories, *, filter_seen=True, excluded=()):
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    stops = np.cumsum(lengths, dtype=np.int64)
    return _core.top_k(
        np.array(scores, dtype=np.float32),
        k,
        np.array([item for history in histories for item in history], dtype=np.int32),
        stops - lengths,
        stops,
        np.arange(len(histories), dtype=np.int32),
        filter_seen,
        np.array(excluded, dtype=np.int32),
    )


@st.composite
def problems(draw):
    # Sometimes more than one block of the kernel's scan; sometimes few values, so that many tie.
    n_items = draw(st.one_of(st.integers(1, 10), st.integers(60, 200)))
    n_rows = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = draw(st.sampled_from([(0.0,), (-1.5, -0.0, 0.0, 3.0), (-np.inf, 0.0, 1.0), None]))
    shape = (n_rows, n_items)
    scores = rng.normal(size=shape) if values is None else rng.choice(values, size=shape)
    item = st.integers(1, n_items)
    histories = draw(st.lists(st.lists(item, max_size=15), min_size=n_rows, max_size=n_rows))
    return scores.astype(np.float32), histories, draw(st.lists(item, max_size=5))


@given(problems(), st.integers(1, 30), st.booleans())
def test_kernel_equals_its_twin(problem, k, filter_seen):
    scores, histories, excluded = problem
    items, values = top_k(scores, k, histories, filter_seen=filter_seen, excluded=excluded)
    for i, history in enumerate(histories):
        left_out = {*excluded, *(history if filter_seen else ())}
        wanted_items, wanted_values = reference.top_k(scores[i], k, left_out)
        assert items[i].tolist() == wanted_items
        assert values[i].tolist() == wanted_values


def test_worked_example():
    items, values = top_k([[0.5, 0.75, 0.5, 1.0, 0.25]], 3, [[4, 4]], excluded=[2])
    assert items.tolist() == [[1, 3, 5]]
    assert values.tolist() == [[0.5, 0.5, 0.25]]


def test_fewer_items_than_k_are_padded():
    items, values = top_k([[0.5, 0.25]], 4, [[1]])
    assert items.tolist() == [[2, 0, 0, 0]]
    assert values.tolist() == [[0.25, -np.inf, -np.inf, -np.inf]]


def test_minus_infinity_is_never_recommended():
    items, _ = top_k([[-np.inf, -1.0, -np.inf]], 3, [[]])
    assert items.tolist() == [[2, 0, 0]]


def test_neither_pad_nor_mask_can_be_recommended():
    items, _ = top_k([[1.0] * 5], 5, [[]])
    assert sorted(items[0].tolist()) == [1, 2, 3, 4, 5]


@given(problems())
def test_the_place_in_the_list_is_the_rank_of_the_order_rule(problem):
    scores, histories, _ = problem
    row, history = np.maximum(scores[:1], np.float32(-2.0)), histories[:1]
    items, _ = top_k(row, row.shape[1], history)
    ranked = items[0, items[0] != 0]
    greater, _, before = _core.rank_counts(
        np.repeat(row, len(ranked), axis=0),
        ranked,
        np.array(history[0], dtype=np.int32),
        np.zeros(1, dtype=np.int64),
        np.array([len(history[0])], dtype=np.int64),
        np.zeros(len(ranked), dtype=np.int32),
        True,
    )
    assert (greater + before).tolist() == list(range(len(ranked)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_cannot_be_ordered_names_row_and_item(value):
    scores = np.zeros((2, 200))
    scores[1, 150] = value
    with pytest.raises(DataError, match=r"item 151 for user 1 \(row 1\)"):
        top_k(scores, 2, [[], []])


def test_nan_of_a_seen_item_is_refused_too():
    with pytest.raises(DataError, match="item 2"):
        top_k([[0.0, np.nan]], 1, [[2]])


def test_no_k_is_refused():
    with pytest.raises(ConfigError, match="`k` is 0"):
        top_k([[0.0]], 0, [[]])


def test_a_k_beyond_memory_is_refused():
    with pytest.raises(OutOfMemoryError, match=f"not to be had for `k` = {2**62}"):
        top_k([[0.0]], 2**62, [[]])


def test_an_excluded_id_outside_the_catalogue_is_refused():
    with pytest.raises(DataError, match=r"`excluded`\[1\] is 3, outside 1..=2"):
        top_k([[0.0, 0.0]], 1, [[]], excluded=[1, 3])


def test_same_lists_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (300, 100)).astype(np.float32)
    histories = rng.integers(1, 101, (300, 7)).tolist()
    assert same_bytes(lambda: top_k(scores, 10, histories))
