from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import keyed as reference
from reference import text
from reference.sequences import store
from seqrec import _core
from seqrec.errors import ConfigError, DataError, OutOfMemoryError

names = st.text(st.characters(codec="utf-8"), max_size=8)
fields = st.sampled_from(["", "uniform", "test", "0"])


def draw(histories, *, n_items, draws=2, counts=None, users=None, raw_ids=None, part="test"):
    return _core.draw_evaluation_negatives(
        "uniform",
        part,
        *text.pack(raw_ids or [str(user) for user in range(len(histories))]),
        *store(histories),
        np.array(range(len(histories)) if users is None else users, dtype=np.int32),
        n_items,
        draws,
        None if counts is None else np.array(counts, dtype=np.int64),
    )


@given(st.lists(names, max_size=5), fields, fields, fields, fields)
def test_hashes_equal_their_twin(raw_ids, purpose, part, number, attempt):
    found = _core.keyed_hash(purpose, part, *text.pack(raw_ids), number, attempt)
    wanted = [reference.keyed_hash(purpose, part, i, number, attempt) for i in raw_ids]
    assert (found.dtype, found.tolist()) == (np.uint64, wanted)


@st.composite
def problems(draw):
    n_items = draw(st.integers(2, 9))
    history = st.lists(st.integers(1, n_items - 1), max_size=12)
    raw_ids, histories = zip(*draw(st.lists(st.tuples(names, history), min_size=1)), strict=True)
    weights = draw(st.lists(st.integers(0, 5), min_size=n_items - 1, max_size=n_items - 1))
    return raw_ids, histories, [*weights, 2]


@given(problems(), st.booleans())
def test_negatives_equal_their_twin(problem, matched):
    raw_ids, histories, weights = problem
    n_items, counts = len(weights), weights if matched else None
    found = draw(histories, n_items=n_items, draws=3, counts=counts, raw_ids=raw_ids)
    wanted = [
        [
            reference.evaluation_negative("uniform", "test", i, d, h, counts or [1] * n_items)
            for d in range(3)
        ]
        for i, h in zip(raw_ids, histories, strict=True)
    ]
    assert (found.dtype, found.tolist()) == (np.int32, wanted)


def test_the_only_free_item_is_drawn():
    assert draw([[*range(1, 100)]], n_items=100, draws=10).tolist() == [[100] * 10]


def test_a_negative_depends_on_the_raw_id_and_not_on_the_row():
    histories, raw_ids = [[1], [2], [3]], ["a", "b", "c"]
    whole = draw(histories, n_items=1000, raw_ids=raw_ids)
    assert (draw(histories, n_items=1000, raw_ids=raw_ids, users=[2, 0]) == whole[[2, 0]]).all()
    assert (draw(histories[1:], n_items=1000, raw_ids=raw_ids[1:]) == whole[1:]).all()


def test_parts_and_draws_are_unrelated():
    test, valid = (draw([[]] * 50, n_items=10**6, part=part) for part in ("test", "valid"))
    assert len({*test.ravel().tolist(), *valid.ravel().tolist()}) == 200


def test_uniform_negatives_are_uniform_over_what_is_free():
    found = draw([[1, 2]] * 3000, n_items=12, draws=10).ravel()
    counts = np.bincount(found, minlength=13)
    assert counts[:3].sum() == 0
    expected = len(found) / 10
    # Chi-square with 9 degrees of freedom: p = 1e-4 at 33.7.
    assert ((counts[3:] - expected) ** 2 / expected).sum() < 33.7


def test_matched_negatives_follow_the_counts():
    found = draw([[]] * 3000, n_items=4, draws=10, counts=[1, 0, 2, 7]).ravel()
    counts = np.bincount(found, minlength=5)[1:]
    assert counts[1] == 0
    expected = len(found) * np.array([0.1, 0.2, 0.7])
    # Chi-square with 2 degrees of freedom: p = 1e-4 at 18.4.
    assert ((counts[[0, 2, 3]] - expected) ** 2 / expected).sum() < 18.4


def test_no_draws_give_no_negatives():
    assert draw([[1], [2]], n_items=3, draws=0).shape == (2, 0)
    assert draw([], n_items=3).shape == (0, 2)


def test_a_user_with_every_item_is_refused_by_name():
    with pytest.raises(DataError, match="user 1 has taken 3 of the 3 items"):
        draw([[1], [3, 1, 2, 2]], n_items=3)


def test_a_user_with_every_item_of_positive_count_is_refused():
    with pytest.raises(DataError, match="user 0 has taken 2 of the 4 items"):
        draw([[1, 3]], n_items=4, counts=[5, 0, 1, 0])


@pytest.mark.parametrize("item", [0, 4, -1])
def test_an_item_outside_the_catalogue_is_refused(item):
    with pytest.raises(DataError, match=rf"`items`\[2\] is {item}, outside 1..=3"):
        draw([[1], [2, item]], n_items=3)


@pytest.mark.parametrize("user", [-1, 2])
@pytest.mark.parametrize("draws", [0, 1])
def test_an_unknown_user_is_refused(user, draws):
    with pytest.raises(DataError, match=rf"`users`\[1\] is {user}, outside 0..=1"):
        draw([[1], [2]], n_items=3, draws=draws, users=[0, user])


@pytest.mark.parametrize("counts", [[1, -1, 1], [0, 0, 0], [2**63 - 1, 1, 0]])
def test_counts_that_are_no_weights_are_refused(counts):
    with pytest.raises(DataError, match="weight of item"):
        draw([[1]], n_items=3, counts=counts)


def test_a_count_is_needed_for_each_item():
    with pytest.raises(DataError, match="`counts` has length 2, but 3 is needed"):
        draw([[1]], n_items=3, counts=[1, 1])


def test_a_raw_id_is_needed_for_each_user():
    with pytest.raises(DataError, match="`offsets` has length 2, but 3 is needed"):
        draw([[1], [2]], n_items=3, raw_ids=["a"])


def test_a_catalogue_without_items_is_refused():
    with pytest.raises(ConfigError, match="`n_items` is 0"):
        draw([[]], n_items=0)


def test_draws_beyond_memory_are_refused():
    with pytest.raises(OutOfMemoryError, match=f"not to be had for `draws` = {2**62}"):
        draw([[1]], n_items=3, draws=2**62)


def test_same_draws_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 50, n).tolist() for n in rng.integers(0, 40, 300)]
    packed = text.pack([f"u{i}" for i in range(10_000)])
    assert same_bytes(
        lambda: [
            draw(histories, n_items=60, counts=np.arange(60)),
            _core.keyed_hash("small", "", *packed, "", ""),
        ]
    )
