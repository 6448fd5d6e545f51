import math

import numpy as np
import pytest

from seqrec.errors import ConfigError
from seqrec.evaluation import metrics

RANKS = np.array([1.0, 2.5, 10.0, 10.5, np.inf])


def test_hit_is_one_up_to_the_cut():
    assert metrics.hit(RANKS, 10).tolist() == [1, 1, 1, 0, 0]


def test_ndcg_discounts_by_the_logarithm_of_the_rank():
    expected = [1, 1 / math.log2(3.5), 1 / math.log2(11), 0, 0]
    assert metrics.ndcg(RANKS, 10).tolist() == pytest.approx(expected)


def test_mrr_is_the_inverse_rank_inside_the_cut():
    assert metrics.mrr(RANKS, 10).tolist() == pytest.approx([1, 0.4, 0.1, 0, 0])


def test_recall_is_hit_with_one_relevant_item():
    np.testing.assert_array_equal(metrics.recall(RANKS, 2), metrics.hit(RANKS, 2))


def test_a_cut_of_zero_is_refused():
    with pytest.raises(ConfigError, match="`k` is 0"):
        metrics.hit(RANKS, 0)


def logits(*values):
    return np.array(values, dtype=np.float32)


def test_accuracy_counts_a_zero_logit_half():
    # user 0: positive right, negatives right and half: (1 + 0.75) / 2; user 1: all wrong
    found = metrics.accuracy(logits(2, -1), logits([-1, 0], [3, 1]))
    assert found.tolist() == [0.875, 0.0]


def test_log_loss_of_no_knowledge_is_the_logarithm_of_two():
    found = metrics.log_loss(logits(0), logits([0, 0]))
    assert found.tolist() == pytest.approx([math.log(2)])


def test_log_loss_averages_over_draws_before_labels():
    found = metrics.log_loss(logits(1), logits([0, 2]))
    taken, rejected = math.log1p(math.exp(-1)), (math.log(2) + math.log1p(math.exp(2))) / 2
    assert found.tolist() == pytest.approx([(taken + rejected) / 2])


def test_log_loss_of_large_logits_is_finite():
    assert metrics.log_loss(logits(-500), logits([500])).tolist() == [500.0]


def test_auc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    positives = rng.integers(0, 4, 9).astype(np.float32)
    negatives = rng.integers(0, 4, (9, 3)).astype(np.float32)
    pairs = positives[:, None, None] - negatives[None]
    expected = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert metrics.auc(positives, negatives) == pytest.approx(expected)


def test_ece_by_hand():
    # sorted: 0.25 (label 0), 0.5 (1), 0.5 (0), 0.75 (1); two bins of two pairs, ties share labels
    quarter = math.log(3)
    found = metrics.ece(logits(0, quarter), logits([-quarter], [0]), bins=2)
    assert found == pytest.approx((abs(0.5 - 0.75) + abs(1.5 - 1.25)) / 4)


def test_ece_of_a_constant_half_is_zero():
    assert metrics.ece(np.zeros(40, np.float32), np.zeros((40, 2), np.float32)) == 0.0


def test_ece_does_not_depend_on_the_order_of_users():
    rng = np.random.default_rng(0)
    positives = rng.integers(-2, 3, 50).astype(np.float32)
    negatives = rng.integers(-2, 3, (50, 2)).astype(np.float32)
    order = rng.permutation(50)
    one, two = metrics.ece(positives, negatives), metrics.ece(positives[order], negatives[order])
    assert one == pytest.approx(two, abs=1e-12)


def test_ece_of_overconfidence_is_its_size():
    # every answer is a coin flip, and every probability is 0.75
    quarter = np.float32(math.log(3))
    found = metrics.ece(np.full(30, quarter), np.full((30, 1), quarter))
    assert found == pytest.approx(0.25, abs=1e-7)


def test_scores_in_columns_and_in_another_precision_have_the_same_area():
    positives, negatives = np.array([0.8, 0.4]), np.array([[0.4, 0.0], [0.6, 0.9]])
    wanted = metrics.auc(positives.astype(np.float32), negatives.astype(np.float32))
    assert metrics.auc(positives, np.asfortranarray(negatives)) == wanted == (2.5 / 4 + 2 / 4) / 2
