import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqrec.data import evaluation_negatives
from seqrec.errors import ConfigError, DataError
from seqrec.evaluation.next_item import EvalConfig, evaluate_next_item
from seqrec.evaluation.predictions import judge as judge_predictions
from seqrec.evaluation.predictions import judge_next_item, judge_relevance
from seqrec.evaluation.relevance import evaluate_relevance
from seqrec.evaluation.scorers import pairs_by_column
from unit.evaluation.toy_split import Table, random_split, toy_split

TWO = [[1, 2, 3], [2, 3, 4]]  # test targets: items 30 and 40
CONFIG = EvalConfig(k=2)


def frame(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "score"])


def judge(rows, config=CONFIG):
    split = toy_split(TWO, 5)
    return judge_next_item(rows, split, split.test, config)


def whole_catalogue(split, scores) -> pl.DataFrame:
    n_users, n_items = scores.shape
    return pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(100, 100 + n_users), n_items),
            "item_id": np.tile(np.arange(10, 10 * n_items + 1, 10), n_users),
            "score": scores.ravel(),
        }
    ).sample(fraction=1, shuffle=True, seed=0)


def test_the_rank_is_the_place_in_the_list():
    rows = frame((100, 50, 0.9), (100, 30, 0.8), (101, 40, 0.1), (101, 50, 0.0))
    assert judge(rows).ranks.tolist() == [2, 1]


def test_equal_scores_stand_in_the_order_of_ids():
    rows = frame((100, 50, 0.5), (100, 40, 0.5), (100, 30, 0.5), (101, 50, 1), (101, 40, 1))
    assert judge(rows).ranks.tolist() == [1, 1]


def test_a_target_that_is_not_in_the_list_is_a_miss():
    assert judge(frame((100, 50, 1.0), (101, 40, 1.0))).values()["hit@2"] == 0.5


def test_a_user_without_a_list_is_a_miss_and_counted():
    result = judge(frame((100, 30, 1.0)))
    assert result.values()["hit@2"] == 0.5
    assert result.report().counts["users_without_list"] == 1


def test_seen_items_leave_the_list_before_the_places_are_counted():
    result = judge(frame((100, 10, 3.0), (100, 20, 2.0), (100, 30, 1.0), (101, 40, 1.0)))
    assert result.ranks.tolist() == [1, 1]
    assert result.report().counts["rows_seen"] == 2


def test_without_the_filter_seen_items_keep_their_places():
    rows = frame((100, 10, 3.0), (100, 20, 2.0), (100, 30, 1.0), (101, 40, 1.0))
    assert judge(rows, EvalConfig(k=2, filter_seen=False)).ranks.tolist() == [3, 1]


@pytest.mark.parametrize("filter_seen", [True, False])
def test_whole_catalogue_lists_are_judged_as_scores_are(filter_seen):
    split = random_split(30, 20)
    scores = np.random.default_rng(0).integers(0, 5, (30, 20)).astype(np.float32)
    config = EvalConfig(ties="order", filter_seen=filter_seen)
    listed = judge_next_item(whole_catalogue(split, scores), split, split.test, config)
    ranked = evaluate_next_item(Table(scores), split, split.test, config)
    np.testing.assert_array_equal(listed.ranks, ranked.ranks)
    assert listed.report().metrics == ranked.report().metrics


def test_a_list_that_names_an_item_twice_is_refused():
    with pytest.raises(DataError, match="user 100 and item 30"):
        judge(frame((100, 30, 1.0), (100, 30, 0.5)))


def test_an_unknown_item_is_named():
    with pytest.raises(DataError, match=r"1 `item_id`.*the first is 31 \(row 0\)"):
        judge(frame((100, 31, 1.0)))


def test_an_unknown_user_is_named():
    with pytest.raises(DataError, match=r"`user_id`.*the first is 7"):
        judge(frame((7, 30, 1.0)))


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="lack the column `score`"):
        judge(pd.DataFrame({"user_id": [100], "item_id": [30]}))


def test_a_column_that_is_there_twice_is_named():
    twice = pd.DataFrame([[100, 30, 1.0, 2.0]], columns=["user_id", "item_id", "score", "score"])
    with pytest.raises(DataError, match=r"have a column twice: .*'score' 2 times"):
        judge(twice)


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(DataError, match=r"user 100 and item 30 \(row 0\) is nan"):
        judge(frame((100, 30, math.nan)))


@pytest.mark.parametrize("wrong", ["high", [0.5], 10**400])
def test_a_score_that_is_no_number_is_named_with_its_row(wrong):
    with pytest.raises(DataError, match=r"column `score` .* has .* \(row 1\), no number"):
        judge(frame((100, 30, "0.5"), (101, 40, wrong)))


@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[s]", "bool"])
def test_times_and_flags_are_no_scores(kind):
    table = frame((100, 30, 1), (101, 40, 0)).astype({"score": "int64"})
    with pytest.raises(DataError, match=r"column `score` .* has .* \(row 0\), no number"):
        judge(table.astype({"score": kind}))


def test_an_id_of_another_kind_is_named_with_its_column_and_row():
    with pytest.raises(DataError, match=r"column `item_id` .* id '30' \(place 1\) is str"):
        judge(frame((100, 30, 1.0), (101, "30", 1.0)))


@pytest.mark.parametrize("columns", [["user_id", "item_id", "score"], ["score"]])
def test_predictions_without_a_row_are_refused(columns):
    split, negatives = toy_split(TWO, 5), np.array([[4], [5]], dtype=np.int32)
    nothing = pd.DataFrame({name: [] for name in columns})
    said = "have no row" if len(columns) == 3 else "lack the column `user_id`"
    with pytest.raises(DataError, match=said):
        judge(nothing)
    with pytest.raises(DataError, match=said):
        judge_relevance(nothing, split, split.test, negatives)


def test_what_is_no_table_is_named():
    with pytest.raises(DataError, match="of the type list: give a table of pandas"):
        judge([(100, 30, 1.0)])


def test_users_that_are_not_evaluated_are_counted():
    split = toy_split([*TWO, [1, 2]], 5)
    rows = frame((100, 30, 1.0), (102, 30, 1.0))
    result = judge_next_item(rows, split, split.test, CONFIG)
    assert result.report().counts["rows_unused"] == 1


def pairs(split, scores, negatives):
    part = split.test
    candidates = np.column_stack([part.targets, negatives])
    users = np.repeat(part.users, candidates.shape[1])
    items = candidates.ravel()
    return frame(*zip(users + 100, items * 10, scores[users, items - 1], strict=True))


def test_scored_pairs_are_judged_as_a_scorer_is():
    split, rng = random_split(30, 20), np.random.default_rng(0)
    scores = rng.normal(size=(30, 20)).astype(np.float32)
    negatives = rng.integers(1, 21, (30, 4)).astype(np.int32)
    rows = pairs(split, scores, negatives)
    judged = judge_relevance(rows, split, split.test, negatives)
    scorer = pairs_by_column(Table(scores))
    expected = evaluate_relevance(scorer, split, split.test, negatives)
    assert judged.report().metrics == expected.report().metrics


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 20.0), (1e-50, 0.0), (1e300, 0.0)])
def test_scores_of_pairs_that_float32_makes_one_are_refused(scale, shift):
    split, rng = random_split(30, 20), np.random.default_rng(0)
    scores, negatives = rng.normal(size=(30, 20)), rng.integers(1, 21, (30, 4)).astype(np.int32)
    judge_relevance(pairs(split, scores, negatives), split, split.test, negatives)
    merged = pairs(split, scale * scores + shift, negatives)
    with pytest.raises(DataError, match=r"different scores of the pairs .* are left in float32"):
        judge_relevance(merged, split, split.test, negatives)


def test_every_pair_must_be_scored():
    split, negatives = toy_split(TWO, 5), np.array([[4], [5]], dtype=np.int32)
    rows = frame((100, 30, 1.0), (100, 40, 0.0), (101, 40, 1.0))
    with pytest.raises(DataError, match=r"lack 1 of 4 .* the first is user 101 and item 50"):
        judge_relevance(rows, split, split.test, negatives)


def test_no_pair_at_all_is_named_too():
    split, negatives = toy_split([*TWO, [1, 2]], 5), np.array([[4], [5]], dtype=np.int32)
    with pytest.raises(DataError, match="lack 4 of 4"):
        judge_relevance(frame((102, 30, 1.0)), split, split.test, negatives)


def test_a_pair_with_two_scores_is_refused():
    split, negatives = toy_split(TWO, 5), np.array([[4], [5]], dtype=np.int32)
    rows = frame((100, 30, 1.0), (100, 30, 0.0))
    with pytest.raises(DataError, match=r"two scores, 1\.0 and 0\.0"):
        judge_relevance(rows, split, split.test, negatives)


def test_pairs_that_nobody_asked_for_are_counted():
    split, negatives = toy_split(TWO, 5), np.array([[4], [5]], dtype=np.int32)
    rows = frame((100, 30, 1), (100, 40, 0), (101, 40, 1), (101, 50, 0), (101, 10, 0))
    result = judge_relevance(rows, split, split.test, negatives)
    assert result.report().counts["rows_unused"] == 1


def test_both_tasks_are_judged_through_one_door():
    split = random_split(30, 20)
    scores = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    rows = whole_catalogue(split, scores)
    assert "ndcg@10" in judge_predictions(rows, split, split.test, "next_item").values()
    assert judge_predictions(rows, split, split.test, "relevance").protocol["draws"] == 10


def test_pairs_of_popularity_are_judged_by_their_own_task():
    split = random_split(30, 20)
    scores = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    negatives = evaluation_negatives(split, split.test, kind="popularity")
    asked = pairs(split, scores, negatives)
    judged = judge_predictions(asked, split, split.test, "relevance-popularity")
    scorer = pairs_by_column(Table(scores))
    expected = evaluate_relevance(scorer, split, split.test, negatives, kind="popularity")
    assert judged.report().metrics == expected.report().metrics
    assert judged.protocol == expected.protocol
    with pytest.raises(DataError, match=r"lack .* evaluation pairs"):
        judge_predictions(asked, split, split.test, "relevance")


def test_another_task_is_refused():
    split = toy_split(TWO, 5)
    with pytest.raises(ConfigError, match="`task` is 'rating'"):
        judge_predictions(frame((100, 30, 1.0)), split, split.test, "rating")


@pytest.mark.parametrize(
    "scores",
    [
        np.array([2**60, 2**60 + 1]),
        np.array([2**63 + 5, 2**63], dtype=np.uint64),
        np.array([Decimal("0.12345678901234567890"), Decimal("0.12345678901234567891")]),
        np.array(["1.00000000000000000001", "1"]),
    ],
)
def test_scores_that_float64_cannot_tell_apart_are_refused(scores):
    table = frame((100, 30, 1), (101, 40, 0)).assign(score=scores)
    with pytest.raises(DataError, match=r"has .* and .* \(row [01]\), which are one number"):
        judge(table)


@pytest.mark.parametrize(
    "scores",
    [np.array([2**60, 2**60]), np.array(["1.0", "1.00"]), np.array([Decimal(1), Decimal("1.0")])],
)
def test_equal_scores_are_ties_however_they_are_written(scores):
    table = frame((100, 30, 1), (101, 40, 0)).assign(score=scores)
    assert len(judge(table).users) == 2


@pytest.mark.parametrize("score", [lambda rank: 10**9 - rank, lambda rank: 1e300 / (1 + rank)])
def test_scores_that_float32_cannot_tell_apart_keep_their_order(score):
    # The target, 30, is the smallest id and comes last.
    rows = frame((100, 50, score(0)), (100, 40, score(1)), (100, 30, score(2)), (101, 40, 1))
    assert judge(rows, EvalConfig(k=3)).ranks.tolist() == [3, 1]
