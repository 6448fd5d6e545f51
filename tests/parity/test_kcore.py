from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import kcore as reference
from seqrec import _core
from seqrec.errors import DataError


def n_core(users, items, min_user, min_item, *, n_users=9, n_items=9):
    keep, rounds = _core.n_core(
        np.array(users, dtype=np.int32),
        np.array(items, dtype=np.int32),
        n_users,
        n_items,
        min_user,
        min_item,
    )
    assert keep.dtype == np.bool_
    return keep.tolist(), rounds.tolist()


event = st.tuples(st.integers(0, 8), st.integers(0, 9))


@given(st.lists(event, max_size=80), st.integers(0, 4), st.integers(0, 4))
def test_kernel_equals_its_twin(events, min_user, min_item):
    users, items = zip(*events, strict=True) if events else ((), ())
    wanted = reference.n_core(users, items, min_user, min_item)
    assert n_core(users, items, min_user, min_item) == wanted


def test_a_loss_cascades_to_the_fixed_point():
    # Item 3 goes first; user 1 is then too short, and takes item 2 with it.
    found = n_core([0, 0, 1, 1, 0], [1, 1, 2, 3, 2], 2, 2)
    assert found == ([True, True, False, False, False], [4, 3, 2])


def test_a_log_that_satisfies_both_takes_no_round():
    assert n_core([0, 1], [1, 1], 1, 2) == ([True, True], [])


def test_a_filter_that_nobody_passes_leaves_nothing():
    assert n_core([0, 1], [1, 2], 2, 1) == ([False, False], [0])


def test_no_events_have_an_empty_core():
    assert n_core([], [], 5, 5, n_users=0, n_items=0) == ([], [])


@pytest.mark.parametrize(
    ("users", "items"), [([0, 9], [1, 1]), ([0, 1], [1, 10]), ([-1, 0], [1, 1])]
)
def test_an_id_outside_its_range_is_refused(users, items):
    with pytest.raises(DataError, match=r"outside 0\.\.="):
        n_core(users, items, 1, 1)


def test_an_item_is_needed_for_each_user():
    with pytest.raises(DataError, match="`items` has length 1, but 2 is needed"):
        n_core([0, 1], [1], 1, 1)


def test_more_ids_than_can_be_numbered_are_refused_before_memory_is_asked_for():
    with pytest.raises(DataError, match="2305843009213693952 users are more than"):
        n_core([0], [1], 1, 1, n_users=2**61)


def test_same_core_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    users = rng.geometric(0.001, 100_000).astype(np.int32)
    items = rng.geometric(0.001, 100_000).astype(np.int32)
    n = int(max(users.max(), items.max())) + 1
    assert same_bytes(lambda: _core.n_core(users, items, n, n, 5, 5))
