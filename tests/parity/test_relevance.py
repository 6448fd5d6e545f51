from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import negatives, window
from reference import relevance as reference
from seqrec import _core
from seqrec.errors import DataError
from strategies import as_sets, batches, ints, policies, store, stores, words

# Histories draw from 12 items, so that every user has a negative among 15.
CATALOGUE = 15
WEIGHTS = [float(1 + item % 4) for item in range(CATALOGUE)]
DRAWS = {
    "uniform": partial(negatives.uniform, CATALOGUE),
    "popularity": partial(negatives.by_weight, WEIGHTS),
}


def table(sampler):
    weights = np.array(WEIGHTS)
    return None if sampler == "uniform" else (weights, _core.alias_table(weights))


def sequences(some, windows, rows, *, width, sampler="uniform", seed=0, epoch=0, prefixes=None):
    """(inputs, positives, negatives) of rows (user, k); `prefixes` gets theirs."""
    users, ks = ints(*(user for user, _ in rows)), ints(*(k for _, k in rows))
    out = np.full((3, len(rows), width), 77, np.int64)
    n_pairs = _core.fill_relevance_sequences(
        *some.arrays, some.first, *some.sets, users, ks, *windows, CATALOGUE, table(sampler),
        seed, epoch, *out, prefixes,
    )  # fmt: skip
    assert n_pairs == (out[1] != 0).sum() == (out[2] != 0).sum()
    return tuple(out)


def pairs(some, rows, *, width, n_items=CATALOGUE, sampler="uniform", seed=0, epoch=0):
    """(tokens, labels) of rows (user, k, position)."""
    users, ks, positions = (ints(*(row[i] for row in rows)) for i in range(3))
    tokens = np.full((2 * len(rows), width), 77, np.int64)
    labels = np.full(2 * len(rows), 77, np.float32)
    _core.fill_relevance_pairs(
        *some.arrays, *some.sets, users, ks, positions, n_items, table(sampler), seed, epoch,
        tokens, labels,
    )  # fmt: skip
    return tokens, labels


@given(st.data(), stores(), policies(), st.sampled_from(list(DRAWS)), words, words)
def test_sequence_kernel_equals_its_twin(data, some, windows, sampler, seed, epoch):
    rows = data.draw(batches(some, windows))
    width = data.draw(st.integers(max(windows[1] - 1, 1), 10))
    found = sequences(some, windows, rows, width=width, sampler=sampler, seed=seed, epoch=epoch)
    for i, (user, k) in enumerate(rows):
        key, history = (seed, epoch, user, k), some.histories[user]
        cut = slice(*window.cut(history, *windows, key))
        wanted = reference.sequence_row(
            history[cut], some.marks[user][cut], set(history), DRAWS[sampler], width, key
        )
        assert tuple(part[i].tolist() for part in found) == wanted


@given(st.data(), stores(), policies(), st.sampled_from(list(DRAWS)), words, words)
def test_prefixes_equal_their_twin(data, some, windows, sampler, seed, epoch):
    rows = data.draw(batches(some, windows))
    width, prefixes = max(windows[1] - 1, 1), np.full(len(rows), 77, np.int64)
    found = sequences(
        some, windows, rows, width=width, sampler=sampler, seed=seed, epoch=epoch,
        prefixes=prefixes,
    )  # fmt: skip
    for i, (user, k) in enumerate(rows):
        key, history = (seed, epoch, user, k), some.histories[user]
        cut = slice(*window.cut(history, *windows, key))
        assert prefixes[i] == reference.prefix(history[cut], key)
        wanted = reference.sequence_row(
            history[cut], some.marks[user][cut], set(history), DRAWS[sampler], width, key,
            int(prefixes[i]),
        )  # fmt: skip
        assert tuple(part[i].tolist() for part in found) == wanted


def test_a_prefix_has_a_share_of_the_row_that_is_the_square_of_a_uniform_one():
    some, prefixes = store([1, 2, 3, 4, 5]), np.zeros(8000, np.int64)
    for epoch in range(len(prefixes)):
        one = prefixes[epoch : epoch + 1]
        sequences(some, ("last", 5, 1), [(0, 0)], width=4, epoch=epoch, prefixes=one)
    counts = np.bincount(prefixes, minlength=5)
    assert counts[0] == 0
    wanted = 8000 * np.diff(np.sqrt(np.arange(5) / 4))
    assert (abs(counts[1:] - wanted) < 5 * np.sqrt(wanted)).all()  # five standard deviations


def test_a_prefix_is_needed_for_each_row():
    with pytest.raises(DataError, match="`prefixes` has length 1, but 2 is needed"):
        sequences(
            store([1, 2], [3, 4]), ("last", 3, 1), [(0, 0), (1, 0)], width=2,
            prefixes=np.zeros(1, np.int64),
        )  # fmt: skip


@given(st.data(), stores(min_length=2), st.sampled_from(list(DRAWS)), words, words)
def test_pair_kernel_equals_its_twin(data, some, sampler, seed, epoch):
    user = st.integers(0, len(some.histories) - 1)
    width = data.draw(st.integers(2, 12))
    rows = []
    for u in data.draw(st.lists(user, min_size=1, max_size=8)):
        position = data.draw(st.integers(1, len(some.histories[u]) - 1))
        rows.append((u, data.draw(st.integers(0, 9)), position))
    tokens, labels = pairs(some, rows, width=width, sampler=sampler, seed=seed, epoch=epoch)
    assert labels.tolist() == [1.0, 0.0] * len(rows)
    for i, (u, k, position) in enumerate(rows):
        key, history = (seed, epoch, u, k), some.histories[u]
        wanted = reference.pair_rows(history, position, set(history), DRAWS[sampler], width, key)
        assert (tokens[2 * i].tolist(), tokens[2 * i + 1].tolist()) == wanted


def test_a_target_that_was_taken_before_makes_no_pair():
    inputs, positives, negative = sequences(store([1, 2, 1, 3]), ("last", 4, 1), [(0, 0)], width=4)
    assert inputs.tolist() == [[1, 2, 1, 0]]
    assert positives.tolist() == [[2, 0, 3, 0]]
    assert (negative[0] > 0).tolist() == [True, False, True, False]


def test_a_repeat_counts_even_if_the_first_time_lies_before_the_window():
    _, positives, _ = sequences(store([1, 2, 3, 1]), ("last", 2, 1), [(0, 0)], width=1)
    assert positives.tolist() == [[0]]


@given(stores(min_length=2), st.sampled_from(list(DRAWS)), words)
def test_negatives_are_never_items_of_the_user(some, sampler, seed):
    users = range(len(some.histories))
    _, _, negative = sequences(
        some, ("last", 31, 1), [(u, 0) for u in users], width=30, sampler=sampler, seed=seed
    )
    tokens, _ = pairs(some, [(u, 0, 1) for u in users], width=2, sampler=sampler, seed=seed)
    for u in users:
        assert not set(negative[u]) & set(some.histories[u])
        assert tokens[2 * u + 1, -1] not in some.histories[u]


@pytest.mark.parametrize("history", [[], [4]])
def test_histories_without_a_target_give_padding_alone(history):
    for out in sequences(store(history), ("last", 4, 1), [(0, 0)], width=3):
        assert out.tolist() == [[0, 0, 0]]


@given(stores(min_length=1), words)
def test_content_depends_on_neither_width_nor_batch(some, seed):
    windows = ("random", 4, 1)
    rows = [(user, k) for user in range(len(some.histories)) for k in range(3)]
    together = sequences(some, windows, rows, width=3, seed=seed)
    for i in reversed(range(len(rows))):
        alone = sequences(some, windows, [rows[i]], width=9, seed=seed)
        assert [a[0, :3].tolist() for a in alone] == [t[i].tolist() for t in together]


def test_the_pairs_of_a_row_depend_on_neither_width_nor_batch():
    some = store([1, 2, 3, 4], [5, 6, 7])
    together, _ = pairs(some, [(0, 1, 3), (1, 0, 2)], width=5)
    alone, _ = pairs(some, [(1, 0, 2)], width=9)
    assert alone[:, 4:].tolist() == together[2:].tolist()


def test_pairs_end_with_the_candidate_after_the_latest_items():
    tokens, labels = pairs(store([1, 2, 3, 4], [8, 9]), [(0, 0, 3), (1, 0, 1)], width=3)
    assert tokens[0].tolist() == [2, 3, 4]
    assert tokens[1, :2].tolist() == [2, 3]
    assert tokens[2].tolist() == [0, 8, 9]
    assert labels.tolist() == [1, 0, 1, 0]


def test_a_user_who_took_all_but_one_item_gets_that_one():
    tokens, _ = pairs(store([1, 2, 4]), [(0, k, 1) for k in range(9)], width=2, n_items=4)
    assert (tokens[1::2, -1] == 3).all()


def test_a_user_who_took_everything_is_named():
    with pytest.raises(DataError, match="user 1 has taken 2 of the 2 items"):
        pairs(store([1], [1, 2]), [(1, 0, 1)], width=2, n_items=2)


@pytest.mark.parametrize("position", [-1, 0, 3])
def test_a_position_without_history_or_target_is_refused(position):
    with pytest.raises(DataError, match=rf"`positions`\[1\] is {position}, outside 1..=2"):
        pairs(store([1, 2, 3]), [(0, 0, 1), (0, 0, position)], width=3)


def test_a_pair_needs_room_for_one_item_and_the_candidate():
    with pytest.raises(DataError, match="row 0 needs a width of 2, but `tokens` is 1 wide"):
        pairs(store([1, 2, 3]), [(0, 0, 1)], width=1)


def test_same_bytes_for_any_number_of_threads(same_bytes):
    some = store(*([1 + j % 11 for j in range(i % 9)] for i in range(300)))
    rows = [(user, 0) for user in range(300)]
    targets = [(user, 0, 1) for user in range(300) if user % 9 > 1]
    assert same_bytes(lambda: sequences(some, ("random", 4, 1), rows, width=3))
    prefixes = np.zeros(len(rows), np.int64)
    read = partial(sequences, some, ("random", 4, 1), rows, width=3, prefixes=prefixes)
    assert same_bytes(lambda: (*read(), prefixes))
    assert same_bytes(lambda: pairs(some, targets, width=5, sampler="popularity"))


def relevance(some, first, sets, width=2):
    out = np.empty((3, 1, width), np.int64)
    _core.fill_relevance_sequences(
        *some.arrays, first, *sets, ints(0), ints(0), "last", 3, 1, CATALOGUE, None, 0, 0, *out
    )


def test_marks_are_needed_for_all_items():
    some = store([1, 2])
    with pytest.raises(DataError, match="`first` has length 1, but 2 is needed"):
        relevance(some, some.first[1:], some.sets)


def test_sets_are_needed_for_all_users():
    some = store([1, 2])
    with pytest.raises(DataError, match="`set_offsets` has length 3, but 2 is needed"):
        relevance(some, some.first, as_sets([{1}, {2}]))


def test_a_window_that_does_not_fit_names_the_row_and_both_widths():
    some = store([1, 2, 3])
    with pytest.raises(DataError, match="row 0 needs a width of 2, but `inputs` is 1 wide"):
        relevance(some, some.first, some.sets, width=1)
