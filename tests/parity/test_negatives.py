from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import negatives as reference
from reference.seed import NEGATIVE, Stream
from seqrec import _core
from seqrec.errors import DataError
from strategies import as_sets, ints, words


def popularity(weights):
    weights = np.array(weights, dtype=np.float64)
    return weights, _core.alias_table(weights)


def negatives(taken, n_items, *, n=1, users=None, ks=None, weights=None, seed=0, epoch=0):
    """n negatives for each row, which are the users once unless users and ks say otherwise."""
    users = range(len(taken)) if users is None else users
    ks = [0] * len(users) if ks is None else ks
    out = np.full((len(users), n), -7, np.int64)
    _core.fill_negatives(
        *as_sets(taken), ints(*users), ints(*ks), n_items,
        None if weights is None else popularity(weights), seed, epoch, out,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("n_items", [2**31 - 1, 2**40])
def test_a_catalogue_that_no_id_can_number_is_refused(n_items):
    with pytest.raises(DataError, match=f"{n_items}"):
        negatives([[1]], n_items)


@st.composite
def catalogues(draw):
    """(number of items, what each user took: never all of them)."""
    n_items = draw(st.integers(1, 20))
    some = st.sets(st.integers(1, n_items), max_size=n_items - 1)
    return n_items, draw(st.lists(some, min_size=1, max_size=5))


# A few draws search the user's items, many mark them first.
counts = st.sampled_from([1, 4, 20])


@given(catalogues(), counts, words, words)
def test_uniform_kernel_equals_its_twin(catalogue, n, seed, epoch):
    n_items, taken = catalogue
    found = negatives(taken, n_items, n=n, seed=seed, epoch=epoch)
    for user, row in enumerate(found.tolist()):
        stream = Stream(seed, epoch, user, 0, NEGATIVE)
        assert row == [reference.uniform(n_items, taken[user], stream) for _ in range(n)]


@given(st.data(), catalogues(), counts, words)
def test_popularity_kernel_equals_its_twin(data, catalogue, n, seed):
    n_items, taken = catalogue
    weight = st.sampled_from([1e-9, 0.5, 1.0, 3.0, 1e6])
    weights = data.draw(st.lists(weight, min_size=n_items, max_size=n_items))
    found = negatives(taken, n_items, n=n, weights=weights, seed=seed)
    for user, row in enumerate(found.tolist()):
        stream = Stream(seed, 0, user, 0, NEGATIVE)
        assert row == [reference.by_weight(weights, taken[user], stream) for _ in range(n)]


@given(catalogues(), words, st.booleans())
def test_a_negative_is_never_taken(catalogue, seed, popular):
    n_items, taken = catalogue
    weights = [1.0] * n_items if popular else None
    for user, row in enumerate(negatives(taken, n_items, n=30, weights=weights, seed=seed)):
        assert set(row) <= set(range(1, n_items + 1)) - taken[user]


@pytest.mark.parametrize("weights", [None, [1e9] * 99 + [1e-9]])
def test_the_only_item_that_is_left_is_drawn(weights):
    found = negatives([set(range(1, 100))], 100, n=50, weights=weights)
    assert (found == 100).all()


@pytest.mark.parametrize("weights", [None, [1.0, 1.0, 1.0]])
def test_a_user_who_took_everything_is_named(weights):
    with pytest.raises(DataError, match="user 1 has taken 3 of the 3 items: no negative is left"):
        negatives([{1}, {1, 2, 3}], 3, weights=weights)


def test_items_without_weight_are_no_negatives():
    assert set(negatives([{1}], 4, n=200, weights=[5, 1, 0, 1])[0]) == {2, 4}
    with pytest.raises(DataError, match="user 0 has taken 1 of the 3 items"):
        negatives([{1}], 3, weights=[5, 0, 0])


def test_uniform_draws_are_uniform_over_the_free_items():
    # 7 free items, 1,000 expected each; 22.5 is p = 0.001 for 6 degrees.
    found = negatives([{2, 5, 10}], 10, n=7000, seed=1)
    counts = np.bincount(found[0], minlength=11)
    assert ((counts[[1, 3, 4, 6, 7, 8, 9]] - 1000) ** 2 / 1000).sum() < 22.5


@pytest.mark.parametrize("taken", [set(), {5}, {4, 5}])
def test_popular_draws_follow_the_weights_of_the_free_items(taken):
    weights = np.array([1.0, 2.0, 3.0, 4.0, 1e6 if 5 in taken else 5.0])
    found = negatives([taken], 5, n=20_000, weights=weights, seed=1)
    free = np.array([item for item in range(1, 6) if item not in taken])
    wanted = 20_000 * weights[free - 1] / weights[free - 1].sum()
    counts = np.bincount(found[0], minlength=6)[free]
    assert ((counts - wanted) ** 2 / wanted).sum() < 18.5  # p = 0.001 for 4 degrees


def test_draws_of_rows_epochs_and_seeds_differ():
    one = {"taken": [set()], "n_items": 1000, "n": 20, "users": [0]}
    base = negatives(**one, ks=[0]).tolist()
    assert base == negatives(**one, ks=[0]).tolist()
    assert base != negatives(**one, ks=[1]).tolist()
    assert base != negatives(**one, ks=[0], epoch=1).tolist()
    assert base != negatives(**one, ks=[0], seed=1).tolist()


def test_more_draws_do_not_change_the_first_ones():
    few, many = (negatives([{3}, set()], 50, n=n, users=[1], ks=[4]) for n in (3, 9))
    both = negatives([{3}, set()], 50, n=3, users=[0, 1], ks=[2, 4])
    assert few.tolist() == many[:, :3].tolist() == both[1:].tolist()


@pytest.mark.parametrize("weights", [None, [1.0 + i % 5 for i in range(30)]])
def test_same_bytes_for_any_number_of_threads(same_bytes, weights):
    taken = [set(range(1, 1 + i % 30)) for i in range(300)]
    assert same_bytes(lambda: [negatives(taken, 30, n=5, weights=weights)])


def test_a_user_without_a_set_is_refused():
    with pytest.raises(DataError, match=r"`users`\[0\] is 1, outside 0..=0"):
        negatives([{1}], 5, users=[1])


@pytest.mark.parametrize("item", [0, 6])
def test_a_set_that_leaves_the_catalogue_is_refused(item):
    with pytest.raises(DataError, match=rf"is {item}, outside 1..=5"):
        negatives([{item}], 5)


def test_a_table_of_another_catalogue_is_refused():
    with pytest.raises(DataError, match="`popularity weights` has length 3, but 5 is needed"):
        negatives([{1}], 5, weights=[1, 1, 1])
