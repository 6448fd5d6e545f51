"""What the checks of drawn results find."""

from __future__ import annotations

import numpy as np
import pytest

from seqrec.bench.faults import cloze_fault, equal_fault, negatives_fault
from seqrec.data import Sequences

MASK, IGNORE = 51, -100
SEQUENCES = Sequences.from_lists([list(range(1, 11))] * 40)
USERS = np.arange(40, dtype=np.int32)
UNIFORM = np.ones(50)


def windows():
    """40 rows of 30 items, 10 of PAD before them."""
    items = np.random.default_rng(0).integers(1, 51, size=(40, 30))
    return np.concatenate([np.zeros((40, 10), dtype=np.int64), items], axis=1)


def cloze(seed, share=0.2):
    window = windows()
    hidden = (np.random.default_rng(seed).random(window.shape) < share) & (window > 0)
    hidden[:, -1] |= ~hidden.any(axis=1)
    return np.where(hidden, MASK, window), np.where(hidden, window, IGNORE)


def found(*batches):
    return cloze_fault(list(batches), [windows()] * len(batches), 50, 0.2)


def test_a_right_cloze_batch_has_no_fault():
    assert found(cloze(1), cloze(2)) is None


def test_a_label_on_padding_is_a_fault():
    tokens, labels = cloze(1)
    labels[3, 0] = 0
    assert found((tokens, labels)) == "a label stands on padding"


def test_an_item_that_is_not_the_users_is_a_fault():
    tokens, labels = cloze(1)
    place = np.argwhere(labels != IGNORE)[0]
    labels[tuple(place)] = 49 if labels[tuple(place)] != 49 else 48
    assert "hidden items" in found((tokens, labels))


def test_a_hidden_item_that_can_be_read_is_a_fault():
    tokens, labels = cloze(1)
    assert "tokens" in found((np.where(labels != IGNORE, labels, tokens), labels))


def test_too_many_hidden_items_are_a_fault():
    assert "items are hidden" in found(cloze(1, share=0.3))


def test_one_mask_for_the_whole_batch_is_a_fault():
    window = windows()[:, 10:]
    hidden = np.random.default_rng(1).random(30) < 0.2
    batch = np.where(hidden, MASK, window), np.where(hidden, window, IGNORE)
    assert cloze_fault([batch], [window], 50, 0.2) == "masks of different rows are the same"


def test_masks_that_do_not_change_are_a_fault():
    window = windows()[:, 10:]
    hidden = np.random.default_rng(1).random(window.shape) < 0.2
    hidden[:, -1] = True
    batch = np.where(hidden, MASK, window), np.where(hidden, window, IGNORE)
    assert cloze_fault([batch] * 2, [window] * 2, 50, 0.225) == "masks of two calls are the same"


def negatives(seed, low=11):
    return np.random.default_rng(seed).integers(low, 51, size=(40, 30))


def drawn(*batches):
    return negatives_fault(list(batches), [USERS] * len(batches), SEQUENCES, UNIFORM)


def test_right_negatives_have_no_fault():
    assert drawn(negatives(1), negatives(2)) is None


def test_a_positive_among_the_negatives_is_a_fault():
    batch = negatives(1)
    batch[4, 7] = 3
    assert drawn(batch) == "negative 3 is an item of user 4"


def test_negatives_that_leave_items_out_are_a_fault():
    assert "not distributed" in drawn(negatives(1, low=15), negatives(2, low=15))


def test_negatives_that_are_not_items_are_a_fault():
    assert "outside 1..50" in drawn(negatives(1) + 1)


def test_one_vector_for_the_whole_batch_is_a_fault():
    free = np.random.default_rng(0).permutation(np.arange(11, 51))
    batch = np.tile(free, (40, 1))  # every item once: right in its frequencies
    assert drawn(batch) == "negatives of different rows are the same"


@pytest.mark.parametrize(("tolerance", "fault"), [(0.0, "x[1] is 2.001, not 2.0"), (0.01, None)])
def test_equality_is_up_to_a_tolerance(tolerance, fault):
    assert equal_fault("x", np.array([1.0, 2.001]), np.array([1.0, 2.0]), tolerance) == fault
