from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import cloze as reference
from reference import window
from seqrec import _core
from seqrec.errors import ConfigError, DataError
from strategies import N_ITEMS, batches, ints, policies, store, stores, words

MASK = N_ITEMS + 1
LAST = ("last", 30, 1)


def cloze(
    some, windows, rows, *, width, n_items=N_ITEMS,
    mask=0.2, last_only=0.0, keep=0.0, random=0.0, seed=0, epoch=0,
):  # fmt: skip
    """(tokens, labels) of rows (user, k) in buffers of a width."""
    users, ks = ints(*(user for user, _ in rows)), ints(*(k for _, k in rows))
    tokens, labels = np.full((2, len(rows), width), 77, np.int64)
    n_hidden = _core.fill_cloze(
        *some.arrays, users, ks, *windows, n_items, mask, last_only, keep, random, seed, epoch,
        tokens, labels,
    )  # fmt: skip
    assert n_hidden == (labels != -100).sum()
    return tokens, labels


@st.composite
def probabilities(draw):
    keep = draw(st.floats(0, 1))
    return {
        "mask": draw(st.floats(0, 1, exclude_min=True)),
        "last_only": draw(st.floats(0, 1)),
        "keep": keep,
        "random": draw(st.floats(0, 1).map(lambda share: share * (1 - keep))),
    }


def twin_options(probs):
    return reference.Cloze(
        n_items=N_ITEMS,
        mask_prob=probs["mask"],
        last_only_prob=probs["last_only"],
        keep_prob=probs["keep"],
        random_prob=probs["random"],
    )


@given(st.data(), stores(), policies(), probabilities(), words, words)
def test_kernel_equals_its_twin(data, some, windows, probs, seed, epoch):
    rows = data.draw(batches(some, windows))
    width = data.draw(st.integers(windows[1], 12))
    found = cloze(some, windows, rows, width=width, **probs, seed=seed, epoch=epoch)
    options = twin_options(probs)
    for i, (user, k) in enumerate(rows):
        key = (seed, epoch, user, k)
        start, stop = window.cut(some.histories[user], *windows, key)
        wanted = reference.row(some.histories[user][start:stop], width, options, key)
        assert (found[0][i].tolist(), found[1][i].tolist()) == wanted


@given(st.integers(56, 150), probabilities(), words)
def test_kernel_equals_its_twin_on_long_windows(n, probs, seed):
    # 64 items and more have a loop of their own.
    history = [1 + place % N_ITEMS for place in range(n)]
    tokens, labels = cloze(
        store(history), ("last", 150, 1), [(0, 0)], width=150, **probs, seed=seed
    )
    options = twin_options(probs)
    wanted = reference.row(history, 150, options, (seed, 0, 0, 0))
    assert (tokens[0].tolist(), labels[0].tolist()) == wanted


@given(stores(min_length=1), st.floats(1e-6, 1), words)
def test_every_window_has_a_mask_and_padding_has_none(some, mask, seed):
    rows = [(user, 0) for user in range(len(some.histories))]
    tokens, labels = cloze(some, LAST, rows, width=30, mask=mask, last_only=0.3, seed=seed)
    hidden = labels != -100
    assert hidden.any(axis=1).all()
    assert (tokens[hidden] == MASK).all()
    for row, history in zip(hidden, some.histories, strict=True):
        assert not row[: 30 - len(history)].any()


@given(stores(min_length=1), words)
def test_unhidden_rows_are_the_window(some, seed):
    rows = [(user, 0) for user in range(len(some.histories))]
    tokens, labels = cloze(some, LAST, rows, width=30, mask=0.5, keep=0.2, random=0.3, seed=seed)
    restored = np.where(labels == -100, tokens, labels)
    assert [
        row[30 - len(h) :] for row, h in zip(restored.tolist(), some.histories, strict=True)
    ] == (some.histories)


def test_the_first_position_can_be_the_only_one_hidden():
    found = [
        cloze(store([3, 4]), LAST, [(0, 0)], width=2, mask=1e-9, seed=seed)[1].tolist()
        for seed in range(20)
    ]
    assert [[3, -100]] in found
    assert [[-100, 4]] in found


def test_the_one_item_of_a_window_is_always_hidden():
    tokens, labels = cloze(store([3]), LAST, [(0, 0)], width=3, mask=1e-9)
    assert (tokens.tolist(), labels.tolist()) == ([[0, 0, MASK]], [[-100, -100, 3]])


def test_an_empty_history_gives_padding_alone():
    tokens, labels = cloze(store([]), LAST, [(0, 0)], width=2, mask=1.0, last_only=0.5)
    assert (tokens.tolist(), labels.tolist()) == ([[0, 0]], [[-100, -100]])


def test_masks_fall_on_the_window_that_is_left_after_the_cut():
    some = store([1, 2, 3, 4, 5, 6])
    for seed in range(50):
        _, labels = cloze(some, ("last", 2, 1), [(0, 0)], width=2, mask=0.01, seed=seed)
        assert set(labels[0]) in ({-100, 5}, {-100, 6}, {5, 6})


def test_last_only_hides_the_last_item_alone():
    _, labels = cloze(store([1, 2, 3]), LAST, [(0, 0)], width=3, mask=1.0, last_only=1.0)
    assert labels.tolist() == [[-100, -100, 3]]


def test_items_are_hidden_as_often_as_asked():
    # 40,000 draws of probability 0.3: the standard deviation of the share is 0.0023.
    some = store(*([1] * 20 for _ in range(2000)))
    _, labels = cloze(some, LAST, [(user, 0) for user in range(2000)], width=20, mask=0.3)
    assert abs((labels != -100).mean() - 0.3) < 4 * 0.0023


def test_hidden_items_are_disguised_as_often_as_asked():
    # Item 12 of 12 is kept (0.1 and a random draw in 12), masked (0.6) or another one (0.3).
    some = store(*([12] * 20 for _ in range(2000)))
    tokens, _ = cloze(
        some, LAST, [(user, 0) for user in range(2000)], width=20, mask=1.0, keep=0.1, random=0.3
    )
    counts = np.bincount(tokens.ravel(), minlength=14)[1:]
    wanted = 40_000 * np.array([0.3 / 12] * 11 + [0.1 + 0.3 / 12, 0.6])
    assert ((counts - wanted) ** 2 / wanted).sum() < 32.9  # p = 0.001 for 12 degrees


@given(stores(min_length=1), words)
def test_content_depends_on_neither_width_nor_batch(some, seed):
    windows, probs = ("random", 4, 1), {"mask": 0.4, "last_only": 0.2, "random": 0.3}
    rows = [(user, k) for user in range(len(some.histories)) for k in range(3)]
    tokens, labels = cloze(some, windows, rows, width=4, **probs, seed=seed)
    for i in reversed(range(len(rows))):
        alone, hidden = cloze(some, windows, [rows[i]], width=9, **probs, seed=seed)
        assert alone[0, 5:].tolist() == tokens[i].tolist()
        assert hidden[0, 5:].tolist() == labels[i].tolist()


def test_same_bytes_for_any_number_of_threads(same_bytes):
    some = store(*([1 + i % 9] * (i % 7) for i in range(300)))
    rows = [(user, 0) for user in range(300)]
    assert same_bytes(lambda: cloze(some, LAST, rows, width=7, random=0.5))


@pytest.mark.parametrize(
    ("probs", "option"),
    [
        ({"mask": 0.0}, "`mask_prob` is 0: it must be above 0"),
        ({"mask": 1.5}, r"`mask_prob` is 1\.5"),
        ({"mask": float("nan")}, "`mask_prob` is NaN"),
        ({"last_only": -0.1}, r"`last_only_prob` is -0\.1"),
        ({"keep": 1.1}, r"`keep_prob` is 1\.1"),
        ({"random": float("inf")}, "`random_prob` is inf"),
        ({"keep": 0.6, "random": 0.6}, r"`random_prob` is 0\.6: keep_prob \+ random_prob"),
    ],
)
def test_an_impossible_probability_names_its_option(probs, option):
    with pytest.raises(ConfigError, match=option):
        cloze(store([1]), LAST, [(0, 0)], width=2, **probs)


def test_a_catalogue_that_no_id_can_number_is_refused():
    with pytest.raises(DataError, match="2147483647"):
        cloze(store([1]), LAST, [(0, 0)], width=2, n_items=2**31 - 1)


def test_a_window_that_does_not_fit_names_the_row_and_both_widths():
    with pytest.raises(DataError, match="row 0 needs a width of 3, but `tokens` is 2 wide"):
        cloze(store([1, 2, 3]), LAST, [(0, 0)], width=2)
