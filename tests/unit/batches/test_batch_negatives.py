"""The sampler: never a known positive, and its probabilities are those that it reports."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from seqrec.batches import Buffers, NegativeConfig, Negatives, Share
from seqrec.data import Sequences, Vocabulary
from seqrec.errors import DataError

# Item 1 is taken three times, items 2 and 3 once, item 4 never.
TRAIN = Sequences.from_lists([[1, 1, 2], [1, 3]])
POPULAR = NegativeConfig(neg_sampling="popularity", num_negatives=4)


def share_of(users: list[int]) -> Share:
    column = np.array(users, dtype=np.int32)
    return Share(users=column, ks=column * 0, positions=None, width=8, seed=3, epoch=1)


def test_negatives_avoid_what_their_user_has_taken():
    sampler = Negatives(TRAIN, 4, NegativeConfig(num_negatives=50))
    drawn = sampler.fill(share_of([0, 1]), Buffers())
    assert [set(row.tolist()) for row in drawn] == [{3, 4}, {2, 4}]


def test_popularity_never_draws_an_item_that_nobody_took():
    drawn = Negatives(TRAIN, 4, POPULAR).fill(share_of([0, 1]), Buffers())
    assert [set(row.tolist()) for row in drawn] == [{3}, {2}]


def test_log_q_of_uniform_draws():
    found = Negatives(TRAIN, 4).log_q(torch.tensor([[1, 4]]))
    torch.testing.assert_close(found, torch.full((1, 2), math.log(1 / 4)))


def test_log_q_of_popularity_draws():
    found = Negatives(TRAIN, 4, POPULAR).log_q(torch.tensor([1, 2, 4]))
    expected = torch.tensor([math.log(3 / 5), math.log(1 / 5), -math.inf])
    torch.testing.assert_close(found, expected)


def test_pop_alpha_is_the_power_of_the_counts():
    config = NegativeConfig(neg_sampling="popularity", pop_alpha=0.0)
    found = Negatives(TRAIN, 4, config).log_q(torch.tensor([1, 2]))
    torch.testing.assert_close(found, torch.full((2,), math.log(1 / 3)))


def test_log_q_of_pad_and_mask_is_zero():
    assert Negatives(TRAIN, 4).log_q(torch.tensor([0, 5])).tolist() == [0.0, 0.0]


def test_a_user_who_took_everything_is_named():
    with pytest.raises(DataError, match="user 1 has taken all 3 items"):
        Negatives(Sequences.from_lists([[1], [3, 1, 2]]), 3)


@pytest.mark.parametrize(
    ("user_ids", "named"),
    [
        (Vocabulary.from_integers(np.array([7, 1999])), "user 1999 has"),
        (Vocabulary(pa.array(["ann", "bob"], type=pa.large_string())), "user 'bob' has"),
    ],
)
def test_a_user_who_took_everything_is_named_by_raw_id(user_ids, named):
    with pytest.raises(DataError, match=named):
        Negatives(Sequences.from_lists([[1], [3, 1, 2]]), 3, user_ids=user_ids)


def test_a_user_who_took_all_popular_items_is_named():
    with pytest.raises(DataError, match="user 0 has taken all 2 items"):
        Negatives(Sequences.from_lists([[1, 2], [2]]), 9, POPULAR)
