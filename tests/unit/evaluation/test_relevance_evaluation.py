import dataclasses
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.evaluation.baselines import Popularity
from seqrec.evaluation.relevance import compare_relevance, evaluate_relevance
from seqrec.evaluation.scorers import pairs_by_column
from unit.evaluation.toy_split import Table, random_split, toy_split

# targets of the test: 3, 4 and, for the last user, 1, which is in the input
THREE = [[1, 2, 3], [2, 3, 4], [1, 2, 1]]
NEGATIVES = np.array([[4, 5], [1, 5], [3, 4]], dtype=np.int32)
LOGITS = Table([[0, 0, 2, -1, 0], [3, 0, 0, -2, -1], [0, 0, 0, 0, 0]])


def evaluate(scorer=LOGITS, negatives=NEGATIVES, **options):
    split = toy_split(THREE, 5)
    return evaluate_relevance(pairs_by_column(scorer), split, split.test, negatives, **options)


def test_logits_are_those_of_the_target_and_its_negatives():
    result = evaluate()
    assert result.positives.tolist() == [2, -2]
    assert result.negatives.tolist() == [[-1, 0], [3, -1]]


def test_a_target_in_the_input_is_no_positive():
    result = evaluate()
    assert result.users.tolist() == [0, 1]
    assert result.report().counts == {"users": 2, "not_evaluated": 0, "no_positive": 1}


def test_accuracy_is_the_mean_over_draws():
    # user 0: right, and 1 and 1/2 of the negatives; user 1: wrong, and 0 and 1
    assert evaluate().values()["accuracy"] == pytest.approx(((1 + 0.75) / 2 + 0.25) / 2)


def test_auc_is_pooled_in_each_draw():
    # draw 0: 2 and -2 against -1 and 3: 1 of 4; draw 1: against 0 and -1: 2 of 4
    assert evaluate().values()["auc"] == pytest.approx((1 / 4 + 2 / 4) / 2)


def test_the_report_holds_values_and_intervals():
    report = evaluate().report("toy")
    assert list(report.metrics) == ["accuracy", "auc", "logloss", "ece"]
    assert report.metrics["accuracy"].value == evaluate().values()["accuracy"]
    assert report.metrics["ece"].low is None
    assert report.protocol["draws"] == 2


def test_no_knowledge_is_half_right():
    values = evaluate(Table(np.zeros((3, 5)))).values()
    assert values == {
        "accuracy": 0.5,
        "auc": 0.5,
        "logloss": pytest.approx(math.log(2)),
        "ece": 0.0,
    }


def test_batches_change_nothing():
    split, rng = random_split(31, 20), np.random.default_rng(0)
    scorer = pairs_by_column(Table(rng.normal(size=(31, 20))))
    negatives = rng.integers(1, 21, (31, 3)).astype(np.int32)
    one, two = (
        evaluate_relevance(scorer, split, split.test, negatives, batch_size=size)
        for size in (4, 99)
    )
    np.testing.assert_array_equal(one.negatives, two.negatives)


def test_the_kind_of_negatives_is_named():
    assert evaluate(kind="popularity").report().protocol["negatives"] == "popularity"


def test_logits_that_are_not_finite_name_the_raw_user():
    scores = LOGITS.scores.copy()
    scores[1, 3] = math.nan
    with pytest.raises(DataError, match="nan to user 101"):
        evaluate(Table(scores))


def test_negatives_of_another_part_are_refused():
    with pytest.raises(DataError, match=r"shape \(2, 2\).*3 users"):
        evaluate(negatives=NEGATIVES[:2])


def test_negatives_outside_the_catalogue_are_refused():
    with pytest.raises(DataError, match=r"item id 6 \(row 1\)"):
        evaluate(negatives=np.array([[4, 5], [6, 5], [3, 4]], dtype=np.int32))


def test_a_part_without_any_positive_is_an_error():
    split = toy_split([[1, 2, 1]], 5)
    with pytest.raises(DataError, match="0 users evaluated"):
        evaluate_relevance(pairs_by_column(LOGITS), split, split.test, NEGATIVES[:1])


def test_the_file_of_a_result_has_raw_ids(tmp_path):
    split = toy_split(THREE, 5)
    evaluate().write(tmp_path / "users.parquet", split.dataset.user_ids, split.dataset.item_ids)
    rows = pq.read_table(tmp_path / "users.parquet").to_pydict()
    assert rows["user_id"] == [100, 101]
    assert rows["target"] == [30, 40]
    assert rows["accuracy"] == [0.875, 0.25]


def test_a_much_better_run_is_found_better_by_every_metric():
    split, rng = random_split(200, 30), np.random.default_rng(0)
    negatives = (rng.integers(0, 29, (200, 3)) + split.test.targets[:, None]) % 30 + 1

    def knowing(sequences: Sequences, users, candidates):
        right = candidates == split.test.targets[users][:, None]
        return np.where(right, 3, -3).astype(np.float32)

    good, poor = (
        evaluate_relevance(scorer, split, split.test, negatives.astype(np.int32))
        for scorer in (knowing, pairs_by_column(Popularity.fit(split.train, 30)))
    )
    assert {d.verdict for d in compare_relevance(good, poor).values()} == {"better"}


def test_results_on_other_negatives_are_not_compared():
    first = evaluate()
    split = toy_split(THREE, 5)
    others = evaluate_relevance(pairs_by_column(LOGITS), split, split.test, NEGATIVES[:, ::-1])
    with pytest.raises(DataError, match="other negatives were drawn"):
        compare_relevance(first, others)
    kept_before = dataclasses.replace(others, drawn="")
    assert compare_relevance(first, kept_before).keys() == {"accuracy", "auc", "logloss"}
