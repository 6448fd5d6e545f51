import math
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy import sparse

from seqrec.data.sequences import Sequences
from seqrec.data.split import Part
from seqrec.errors import ConfigError, DataError
from seqrec.evaluation.baselines import Popularity
from seqrec.evaluation.next_item import EvalConfig, compare_next_item, evaluate_next_item
from seqrec.evaluation.relevance import evaluate_relevance
from seqrec.evaluation.scorers import check_shape, pairs_by_column
from unit.evaluation.toy_split import Table, random_split, toy_split

# user 0: input of the test [1, 2], target 3; user 1: input [2, 3], target 4
TWO = [[1, 2, 3], [2, 3, 4]]
SCORES = np.array([[9, 8, 5, 5, 6], [1, 7, 8, 2, 2]])


def ranks(config: EvalConfig, scores=SCORES, histories=TWO):
    split = toy_split(histories, 5)
    return evaluate_next_item(Table(scores), split, split.test, config).ranks.tolist()


def test_seen_items_are_left_out_and_ties_count_half():
    # user 0 without 1, 2: item 5 above, item 4 beside; user 1 without 2, 3: item 5 beside
    assert ranks(EvalConfig(k=3)) == [2.5, 1.5]


def test_without_the_filter_seen_items_stand_in_the_way():
    assert ranks(EvalConfig(k=3, filter_seen=False)) == [4.5, 3.5]


def test_order_ties_give_way_to_smaller_ids_alone():
    assert ranks(EvalConfig(k=3, ties="order")) == [2.0, 1.0]


def test_worst_ties_come_last():
    assert ranks(EvalConfig(k=3, ties="worst")) == [3.0, 2.0]


def test_metrics_are_means_over_users():
    split = toy_split(TWO, 5)
    values = evaluate_next_item(Table(SCORES), split, split.test, EvalConfig(k=2)).values()
    assert values == {
        "hit@2": 0.5,
        "ndcg@2": pytest.approx(0.5 / math.log2(2.5)),
        "mrr@2": pytest.approx(0.5 / 1.5),
        "recall@2": 0.5,
    }


def test_a_target_that_was_taken_before_is_a_miss_under_the_filter():
    split = toy_split([[1, 2, 1]], 5)
    result = evaluate_next_item(
        Table(SCORES[:1]), split, split.test, EvalConfig(k=5, filter_seen=True)
    )
    assert result.target_in_input.tolist() == [True]
    assert result.values()["hit@5"] == 0.0


def test_a_target_that_was_taken_before_is_ranked_without_the_filter():
    split = toy_split([[1, 2, 1]], 5)
    result = evaluate_next_item(
        Table(SCORES[:1]), split, split.test, EvalConfig(k=5, filter_seen=False)
    )
    assert result.target_in_input.tolist() == [True]
    assert result.ranks.tolist() == [1.0]


def test_the_filter_is_the_splits_by_default():
    split = random_split(5, 20)
    result = evaluate_next_item(Table(np.zeros((5, 20))), split, split.test)
    assert result.protocol["filter_seen"] is split.filter_seen is True


@pytest.mark.parametrize("ties", ["mean", "worst"])
def test_a_constant_scorer_is_never_above_chance(ties):
    split = random_split(50, 40)
    config = EvalConfig(ties=ties, filter_seen=False)
    hits = evaluate_next_item(Table(np.ones((50, 40))), split, split.test, config).values()
    assert hits["hit@10"] <= 10 / 40


def test_metrics_never_fall_as_the_list_grows():
    split, scores = random_split(40, 30), np.random.default_rng(1).normal(size=(40, 30))
    values = [
        list(
            evaluate_next_item(Table(scores), split, split.test, EvalConfig(k=k)).values().values()
        )
        for k in (1, 5, 10, 30)
    ]
    assert (np.diff(values, axis=0) >= 0).all()


def test_batches_change_nothing_and_bound_the_scores():
    split, scorer = random_split(23, 15), Table(np.random.default_rng(1).normal(size=(23, 15)))
    small = evaluate_next_item(scorer, split, split.test, EvalConfig(batch_size=4))
    assert scorer.largest_chunk == 4
    whole = evaluate_next_item(scorer, split, split.test, EvalConfig(batch_size=100))
    np.testing.assert_array_equal(small.ranks, whole.ranks)


def test_tensors_and_arrays_of_the_same_scores_have_the_same_ranks():
    split, scores = random_split(23, 15), np.random.default_rng(1).normal(size=(23, 15))

    def tensor_scorer(sequences, users):
        return torch.from_numpy(scores.astype(np.float32))[users.astype(np.int64)]

    one = evaluate_next_item(tensor_scorer, split, split.test)
    two = evaluate_next_item(Table(scores), split, split.test)
    np.testing.assert_array_equal(one.ranks, two.ranks)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_name_the_raw_user(value):
    scores = SCORES.astype(float)
    scores[1, 0] = value
    with pytest.raises(DataError, match=r"gave .* to user 101 \(column 0\)"):
        ranks(EvalConfig(k=3), scores)


def test_an_empty_part_is_an_error():
    split = toy_split(TWO, 5)
    nobody = np.empty(0, dtype=np.int32)
    part = Part("test", nobody, split.test.inputs, nobody)
    with pytest.raises(DataError, match="0 users evaluated"):
        evaluate_next_item(Table(SCORES), split, part, EvalConfig(k=3))


def test_scores_that_are_no_array_name_their_type():
    with pytest.raises(DataError, match="the scorer gave a list: it must give a NumPy array"):
        check_shape([[0.0]], (1, 1))


UNFIT = {
    "csr_matrix": lambda dense: sparse.csr_matrix(dense),
    "coo_array": lambda dense: sparse.coo_array(dense),
    "ndarray of complex128": lambda dense: dense + 0j,
    "ndarray of object": lambda dense: dense.astype(object),
    "ndarray of <U32": lambda dense: dense.astype(str),
    "MaskedArray": lambda dense: np.ma.array(dense),
    "Tensor of torch.complex128": lambda dense: torch.from_numpy(dense + 0j),
    "Tensor of torch.float64 (torch.sparse_coo on cpu)": lambda dense: torch.tensor(
        dense
    ).to_sparse(),
    "Tensor of torch.float64 (torch.strided on meta)": lambda dense: torch.tensor(
        dense, device="meta"
    ),
}


@pytest.mark.parametrize("named", UNFIT)
def test_scores_that_are_no_real_numbers_name_their_type(named):
    split, scores = toy_split(TWO, 5), UNFIT[named](SCORES.astype(float))
    draws, said = np.full((2, 1), 5, dtype=np.int32), re.escape(f"the scorer gave a {named}")
    with pytest.raises(DataError, match=said):
        evaluate_next_item(lambda *_: scores, split, split.test, EvalConfig(k=3))
    by_column = pairs_by_column(lambda *_: scores)
    with pytest.raises(DataError, match=said):
        evaluate_relevance(by_column, split, split.test, draws)


def test_scores_of_another_catalogue_name_both_shapes():
    with pytest.raises(DataError, match=r"\(2, 4\), but \(2, 5\)"):
        ranks(EvalConfig(k=3), SCORES[:, :4])


def test_k_beyond_the_catalogue_is_refused():
    with pytest.raises(ConfigError, match=r"`evaluation\.k` is 6"):
        ranks(EvalConfig(k=6))


def test_cold_targets_have_a_row_of_their_own():
    # item 4 of user 1 has no training event; the targets 2 and 1 of the others have one
    split = toy_split([[1, 3, 2], [2, 3, 4], [2, 3, 1]], 5)
    result = evaluate_next_item(Table(np.eye(3, 5)), split, split.test, EvalConfig(k=1))
    assert result.cold.tolist() == [False, True, False]
    report = result.report()
    assert report.counts["cold_targets"] == 1
    assert (
        report.slices["warm targets"]["hit@1"].value == result.ranks[[0, 2]].tolist().count(1) / 2
    )


def test_short_users_are_counted_as_not_evaluated():
    split = toy_split([*TWO, [1, 2]], 5)
    result = evaluate_next_item(Table(np.ones((3, 5))), split, split.test, EvalConfig(k=3))
    assert result.report().counts["not_evaluated"] == 1


def test_the_share_of_tied_targets_is_counted():
    split = toy_split(TWO, 5)
    report = evaluate_next_item(Table(SCORES), split, split.test, EvalConfig(k=3)).report()
    assert report.counts["tied_share"] == 1.0


def test_the_file_of_a_result_has_raw_ids(tmp_path):
    split = toy_split(TWO, 5)
    result = evaluate_next_item(Table(SCORES), split, split.test, EvalConfig(k=3))
    result.write(tmp_path / "users.parquet", split.dataset.user_ids, split.dataset.item_ids)
    rows = pq.read_table(tmp_path / "users.parquet").to_pydict()
    assert rows["user_id"] == [100, 101]
    assert rows["target"] == [30, 40]
    assert rows["rank"] == [2.5, 1.5]
    assert rows["hit@3"] == [1.0, 1.0]


def test_validation_does_not_see_the_test_item():
    seen = []

    def scorer(sequences: Sequences, users):
        seen.extend(sequences.user(u).tolist() for u in users)
        return np.zeros((len(users), 5), dtype=np.float32)

    split = toy_split(TWO, 5)
    evaluate_next_item(scorer, split, split.valid, EvalConfig(k=3))
    assert seen == [[1], [2]]


@pytest.mark.parametrize("filter_seen", [True, False])
def test_the_place_in_the_list_is_the_rank_under_order_ties(filter_seen):
    split = random_split(60, 25)
    scorer = Table(np.random.default_rng(0).integers(0, 4, (60, 25)))
    config = EvalConfig(ties="order", filter_seen=filter_seen, lists=True)
    result = evaluate_next_item(scorer, split, split.test, config)
    rows, places = np.nonzero(result.lists == result.targets[:, None])
    from_lists = np.zeros(60)
    from_lists[rows] = 1 / np.log2(2 + places)
    np.testing.assert_allclose(from_lists, result.per_user()["ndcg@10"])


def test_coverage_is_the_share_of_items_in_some_list():
    split = toy_split(TWO, 5)  # without seen items, the lists are 5, 3 and 1, 4
    config = EvalConfig(k=2, lists=True)
    scorer = Table([[0, 0, 1, 0, 2], [2, 0, 0, 1, 0]])
    result = evaluate_next_item(scorer, split, split.test, config)
    assert result.lists.tolist() == [[5, 3], [1, 4]]
    assert result.report().metrics["coverage@2"].value == 4 / 5


def test_pad_at_the_end_of_a_short_list_covers_nothing():
    split = toy_split([[1, 2, 3]], 4)
    config = EvalConfig(k=4, lists=True)
    result = evaluate_next_item(Table(np.zeros((1, 4))), split, split.test, config)
    assert result.lists.tolist() == [[3, 4, 0, 0]]
    assert result.values()["coverage@4"] == 0.5


def test_a_run_compared_with_itself_shows_nothing():
    split = toy_split(TWO, 5)
    result = evaluate_next_item(Table(SCORES), split, split.test, EvalConfig(k=3))
    assert {d.verdict for d in compare_next_item(result, result).values()} == {"not shown"}


def test_a_much_better_run_is_found_better():
    split = random_split(200, 30)
    perfect = np.zeros((200, 30))
    perfect[split.test.users, split.test.targets - 1] = 1
    good = evaluate_next_item(Table(perfect), split, split.test)
    poor = evaluate_next_item(Popularity.fit(split.train, 30), split, split.test)
    assert compare_next_item(good, poor)["ndcg@10"].verdict == "better"
    assert compare_next_item(poor, good)["ndcg@10"].verdict == "worse"


def test_runs_of_different_protocols_are_not_compared():
    split = toy_split(TWO, 5)
    one, two = (
        evaluate_next_item(Table(SCORES), split, split.test, EvalConfig(k=k)) for k in (3, 4)
    )
    with pytest.raises(DataError, match="`k` is 3 in one and 4"):
        compare_next_item(one, two)
