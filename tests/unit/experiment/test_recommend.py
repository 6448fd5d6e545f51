"""Who is asked about, in raw ids, and what comes back."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import seqrec as sr
import tiny_data
from seqrec.data import Vocabulary
from seqrec.errors import ConfigError, DataError
from seqrec.experiment import recommend as recommending
from seqrec.experiment.recommend import catalogue_ids, new_sequences

IDS = Vocabulary.from_integers(np.array([10, 20, 30]))


@pytest.fixture(scope="module")
def run(split):
    return sr.fit("lstm", split, config=tiny_data.tiny("lstm"))


def histories(queries):
    s = queries.sequences
    return [s.user(user).tolist() for user in range(s.n_users)]


def test_sequences_become_internal_ids_in_their_order():
    queries = new_sequences(IDS, [[30, 10], [], (20,)], "error")
    assert histories(queries) == [[3, 1], [], [2]]
    assert queries.labels.tolist() == [0, 1, 2]


def test_unknown_items_leave_their_sequence_and_are_counted():
    queries = new_sequences(IDS, [[99, 10], [98], [30, 97, 20]], "skip")
    assert histories(queries) == [[1], [], [3, 2]]
    assert queries.unknown_items == 3


def test_an_unknown_item_is_named_with_its_sequence():
    with pytest.raises(DataError, match="sequence 1: item 99 is unknown to the model"):
        new_sequences(IDS, [[10], [20, 99]], "error")


def test_an_id_of_another_kind_is_named_with_its_sequence():
    with pytest.raises(DataError, match=r"sequence 1: id 'a' \(place 1\) is str"):
        new_sequences(IDS, [[10], [20, "a"]], "skip")


def test_text_is_no_list_of_ids(run):
    with pytest.raises(ConfigError, match=r"option `sequences\[0\]` is '10': it must be a list"):
        new_sequences(IDS, ["10"], "skip")
    with pytest.raises(ConfigError, match="`exclude` is '10'"):
        catalogue_ids(IDS, "10", "exclude")
    with pytest.raises(ConfigError, match=r"`candidates\[0\]` is '25'"):
        run.predict_proba(["25"], users=[1])
    with pytest.raises(ConfigError, match="`users` is '1'"):
        run.recommend(users="1")


def test_a_lone_id_is_no_list_of_ids(run):
    with pytest.raises(ConfigError, match=r"option `sequences\[0\]` is 10: it must be a list"):
        run.recommend(sequences=[10, 25])
    with pytest.raises(ConfigError, match="option `users` is 1: it must be a list"):
        run.recommend(users=1)
    for lone in (np.array(10), torch.tensor(10)):
        with pytest.raises(
            ConfigError, match=r"option `sequences\[0\]` is .*10.*: it must be a list"
        ):
            run.recommend(sequences=[lone])
    with pytest.raises(ConfigError, match=r"`candidates\[0\]` is 25"):
        run.predict_proba([25], users=[1])


def test_a_set_has_no_order_and_is_no_history(run):
    with pytest.raises(ConfigError, match=r"`sequences\[1\]` is \{25\}: .* in their order"):
        run.recommend(sequences=[[10], {25}])


def test_lists_that_come_one_by_one_are_lists(run):
    once = run.recommend(sequences=(iter([1, 2]) for _ in range(2)), k=3)
    pd.testing.assert_frame_equal(once, run.recommend(sequences=[[1, 2]] * 2, k=3))
    judged = run.predict_proba((iter([5]) for _ in range(2)), sequences=([1] for _ in range(2)))
    pd.testing.assert_frame_equal(judged, run.predict_proba([[5]] * 2, sequences=[[1]] * 2))


@pytest.mark.parametrize("filter_seen", [0, "no"])
def test_a_filter_that_is_neither_on_nor_off_is_refused(run, filter_seen):
    with pytest.raises(ConfigError, match=r"`filter_seen` is .*: it must be True or False"):
        run.recommend(users=[1], filter_seen=filter_seen)


@pytest.mark.parametrize("asked", [{"users": [1]}, {"sequences": [[10]]}])
def test_another_policy_is_refused(run, asked):
    with pytest.raises(ConfigError, match="`unknown` is 'drop'"):
        run.recommend(**asked, unknown="drop")


def test_half_a_character_is_an_item_that_nobody_knows():
    ids = Vocabulary.from_strings(np.array([0, 1, 3]), np.frombuffer("aé".encode(), np.uint8))
    queries = new_sequences(ids, [["é", "\ud800", "a"]], "skip")
    assert (histories(queries), queries.unknown_items) == ([[2, 1]], 1)


def test_lists_of_arrow_are_lists(run):
    asked = {"users": pa.array([1, 2]), "k": 2}
    pd.testing.assert_frame_equal(run.recommend(**asked), run.recommend(users=[1, 2], k=2))


def test_lists_of_torch_are_lists(run):
    asked = {"sequences": torch.tensor([[1, 2], [3, 4]]), "k": 2}
    wanted = run.recommend(sequences=[[1, 2], [3, 4]], k=2)
    pd.testing.assert_frame_equal(run.recommend(**asked), wanted)


def test_named_items_are_taken_once_and_must_be_known():
    assert catalogue_ids(IDS, [30, 10, 30], "exclude").tolist() == [1, 3]
    with pytest.raises(DataError, match="option `exclude` names item 11, which the model does not"):
        catalogue_ids(IDS, [11], "exclude")


def test_a_probability_does_not_depend_on_the_other_candidates(run):
    whole = run.recommend(users=[1], k=100, filter_seen=False).set_index("item_id")
    some = run.recommend(users=[1], candidates=[2, 5], filter_seen=False).set_index("item_id")
    pairs = run.predict_proba([[2, 5]], users=[1]).set_index("item_id")
    for item in (2, 5):
        assert some.probability[item] == pytest.approx(whole.probability[item], rel=1e-6)
        assert pairs.probability[item] == pytest.approx(whole.probability[item], rel=1e-6)


def test_fewer_users_at_once_get_the_same(run, monkeypatch):
    users = list(range(1, 8))
    lists, pairs = run.recommend(users=users), run.predict_proba([[2, 5]] * 7, users=users)
    monkeypatch.setattr(recommending, "BATCH_SCORES", 2 * len(run.item_ids) + 1)
    pd.testing.assert_frame_equal(run.recommend(users=users), lists)
    pd.testing.assert_frame_equal(run.predict_proba([[2, 5]] * 7, users=users), pairs)


def test_a_batch_of_scores_stays_within_its_budget_for_any_catalogue():
    for n_items in (1, 1000, 10**6, 10**9):
        users = recommending._batch_users(n_items)
        assert 1 <= users <= recommending.BATCH_USERS
        assert users == 1 or users * n_items <= recommending.BATCH_SCORES


def test_log_sum_exp_is_that_of_float64_and_takes_little_memory():
    scores = np.random.default_rng(0).normal(scale=9, size=(64, 5000)).astype(np.float32)
    expected = np.logaddexp.reduce(scores.astype(np.float64), axis=1)
    tracemalloc.start()
    found = recommending._log_sum_exp(scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    assert found.dtype == np.float64
    assert peak < scores.nbytes / 10


def test_more_than_the_catalogue_is_the_catalogue(run):
    frame = run.recommend(sequences=[[1]], k=10**15, filter_seen=False)
    assert len(frame) == len(run.item_ids)


@pytest.mark.parametrize("k", [0, -1, "5", 2.5, None, True])
def test_a_length_that_is_none_is_refused(run, k):
    with pytest.raises(ConfigError, match=rf"`k` is {k!r}: it must be an integer, at least 1"):
        run.recommend(users=[1], k=k)


@pytest.fixture(scope="module", params=["lstm", "pooled", "inside"])
def judge(request, split):
    """An untrained model of relevance."""
    head = request.param
    if head == "lstm":
        options = tiny_data.tiny("lstm", training={"epochs": 0})
        return sr.fit("lstm", split, task="relevance", config=options)
    inside = {"relevance_head": head}
    options = tiny_data.tiny("bert4rec", training={"epochs": 0}, bert4rec=inside)
    return sr.fit("bert4rec", split, task="relevance", config=options)


def test_no_candidates_give_an_empty_frame(run, judge):
    for model in (run, judge):
        frame = model.recommend(users=[1, 2], candidates=[])
        assert list(frame) == ["user_id", "item_id", "score", "probability", "rank"]
        assert len(frame) == 0


def test_nobody_to_judge_gives_an_empty_frame(run, judge):
    for model in (run, judge):
        for nobody in ({"users": []}, {"sequences": []}):
            frame = model.predict_proba([], **nobody)
            assert list(frame) == ["user_id", "item_id", "score", "probability"]
            assert len(frame) == 0


def test_an_unknown_user_is_named(run):
    with pytest.raises(DataError, match="user 999 is not in the data set: give `sequences`"):
        run.recommend(users=[1, 999])


def test_users_and_sequences_exclude_each_other(run):
    with pytest.raises(ConfigError, match="not both"):
        run.recommend(users=[1], sequences=[[1]])


def test_an_unknown_candidate_is_named(run):
    with pytest.raises(DataError, match="candidate 999 is unknown"):
        run.predict_proba([[1, 999]], users=[1])


def test_each_history_needs_its_candidates(run):
    with pytest.raises(ConfigError, match="`candidates` has 1 lists for 2 histories"):
        run.predict_proba([[1]], users=[1, 2])


def test_a_log_with_repeats_is_recommended_with_what_was_seen():
    rows = {"user_id": [1, 1, 1, 1, 1, 2, 2, 2, 2], "item_id": [1, 1, 2, 2, 3, 3, 1, 2, 1]}
    split = sr.Interactions.from_frame(pd.DataFrame(rows)).split()
    config = tiny_data.tiny("lstm", evaluation={"k": 3})
    run = sr.fit("lstm", split, config=config)
    assert run.filter_seen is split.filter_seen is False
    assert run.evaluate().protocol["filter_seen"] is False
    assert set(run.recommend(users=[1]).item_id) == {1, 2, 3}
