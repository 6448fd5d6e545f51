"""A run from log to recommendations, for both models and both tasks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import seqrec as sr
from seqrec.config import merge
from seqrec.data import Dataset
from seqrec.errors import CheckpointError, ConfigError, DataError

CELLS = [(m, t) for m in ("lstm", "bert4rec") for t in ("next_item", "relevance")]


@pytest.fixture(scope="module")
def runs(split, quick, tmp_path_factory):
    """Trained runs by cell, each trained once for all tests of this file."""
    folder = tmp_path_factory.mktemp("runs")
    trained = {}

    def run(model, task):
        if (model, task) not in trained:
            place = folder / f"{model}-{task}"
            trained[model, task] = sr.fit(
                model, split, task=task, config=quick(model), folder=place
            )
        return trained[model, task]

    return run


@pytest.mark.parametrize(("model", "task"), CELLS)
def test_a_short_run_beats_chance(runs, split, model, task):
    metrics = runs(model, task).evaluate("valid").metrics
    chance = 10 / split.dataset.n_items
    if task == "next_item":
        assert metrics["hit@10"].value > 1.3 * chance
    else:
        assert metrics["auc"].value > 0.55


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_metrics_from_recommended_lists_equal_the_evaluated_ones(runs, split, quick, model):
    run = runs(model, "next_item")
    part = split.test
    histories = [
        split.dataset.item_ids.decode(part.inputs.user(u) - 1).tolist() for u in part.users
    ]
    lists = run.recommend(sequences=histories, k=10)
    targets = split.dataset.item_ids.decode(part.targets - 1)
    found = lists[lists.item_id.to_numpy() == targets[lists.user_id.to_numpy()]]
    hit = len(found) / len(part.users)
    ndcg = (1 / np.log2(1 + found["rank"])).sum() / len(part.users)

    from dataclasses import replace

    from seqrec.evaluation import evaluate_next_item

    by_order = replace(run.config.evaluation, ties="order")
    values = evaluate_next_item(run.scorer, split, part, by_order).values()
    assert hit == pytest.approx(values["hit@10"], abs=1e-12)
    assert ndcg == pytest.approx(values["ndcg@10"], abs=1e-12)


@pytest.mark.parametrize(("model", "task"), CELLS)
def test_a_loaded_run_scores_as_the_one_that_was_saved(runs, dataset, split, model, task):
    run = runs(model, task)
    loaded = sr.load(run.folder, dataset=dataset, device="cpu")
    kept, again = run.results("valid"), loaded.results("valid")
    name = "ranks" if task == "next_item" else "positives"
    np.testing.assert_array_equal(getattr(kept, name), getattr(again, name))


def test_a_saved_model_recommends_without_any_data(runs, tmp_path):
    run = runs("lstm", "next_item")
    run.save(tmp_path / "model")
    loaded = sr.load(tmp_path / "model", device="cpu")
    mine, theirs = (r.recommend(sequences=[[1, 2, 3]], k=5) for r in (run, loaded))
    assert mine.equals(theirs)
    with pytest.raises(DataError, match="loaded without its data set"):
        loaded.evaluate()
    with pytest.raises(DataError, match="histories of known users"):
        loaded.recommend(users=[1])


@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_held_out_items_cannot_reach_the_weights(split, quick, model):
    """Other held-out items of the same catalogue: byte-equal weights after the same steps."""
    dataset = split.dataset
    rng = np.random.default_rng(0)
    items = dataset.items.copy()
    last = dataset.offsets[1:] - 1
    items[last], items[last - 1] = rng.permutation(items[last]), rng.permutation(items[last - 1])
    other = Dataset(
        items, dataset.offsets, dataset.times, dataset.user_ids, dataset.item_ids,
        dataset.audit, "other",
    )  # fmt: skip
    config = sr.config.merge(quick(model), {"training": {"epochs": 1, "ema": 0.0}})
    weights = [
        sr.fit(model, s, config=config).model.state_dict()
        for s in (split, other.split("leave_one_out"))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_recommendations_hold_neither_seen_nor_excluded_items(runs, split):
    run = runs("bert4rec", "next_item")
    frame = run.recommend(users=[1, 2, 3], k=80, exclude=[5, 6], filter_seen=True)
    for user, rows in frame.groupby("user_id"):
        history = run.dataset.sequences.user(int(run.dataset.user_ids.encode([user])[0]))
        seen = set(run.item_ids.decode(history - 1).tolist())
        assert not set(rows.item_id) & (seen | {5, 6})
        assert len(rows) == split.dataset.n_items - len(seen | {5, 6})
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows.score.is_monotonic_decreasing


def test_only_candidates_are_ranked(runs):
    frame = runs("bert4rec", "relevance").recommend(
        users=[1, 2], candidates=[3, 7, 9], filter_seen=False
    )
    assert set(frame.item_id) == {3, 7, 9}
    assert frame.probability.between(0, 1).all()


def test_a_candidate_inside_needs_candidates_and_says_so(split, quick):
    options = merge(quick("bert4rec"), {"bert4rec": {"relevance_head": "inside"}})
    run = sr.fit("bert4rec", split, task="relevance", config=options, epochs=1)
    with pytest.raises(DataError, match="give candidates"):
        run.recommend(users=[1])
    assert len(run.recommend(users=[1], candidates=[2, 8], filter_seen=False)) == 2


def test_a_candidate_outside_can_be_any_item(runs):
    assert len(runs("bert4rec", "relevance").recommend(users=[1], k=5)) == 5


def test_probabilities_of_the_whole_catalogue_sum_to_one(runs, split):
    frame = runs("lstm", "next_item").recommend(
        users=[1], k=split.dataset.n_items, filter_seen=False
    )
    assert frame.probability.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("model", "task"), CELLS)
def test_given_pairs_get_the_scores_of_the_lists(runs, model, task):
    run = runs(model, task)
    listed = run.recommend(users=[4], candidates=[2, 8], filter_seen=False).set_index("item_id")
    pairs = run.predict_proba([[8, 2]], users=[4]).set_index("item_id")
    for item in (2, 8):
        assert pairs.score[item] == pytest.approx(listed.score[item], abs=1e-5)


def test_unknown_items_are_skipped_and_counted_or_refused(runs):
    run = runs("lstm", "next_item")
    frame = run.recommend(sequences=[[1, 999_999, 2]], k=3)
    assert frame.attrs["unknown_items"] == 1
    assert frame.item_id.tolist() == run.recommend(sequences=[[1, 2]], k=3).item_id.tolist()
    assert run.predict_proba([[3]], sequences=[[1, 999_999]]).attrs["unknown_items"] == 1
    with pytest.raises(DataError, match="999999 is unknown"):
        run.recommend(sequences=[[1, 999_999]], unknown="error")


@pytest.mark.parametrize(("model", "task"), [c for c in CELLS if c != ("bert4rec", "relevance")])
def test_somebody_without_history_gets_a_list(runs, model, task):
    frame = runs(model, task).recommend(sequences=[[]], k=5)
    assert len(frame) == 5


def test_each_reading_of_the_test_part_is_counted(runs):
    run = runs("lstm", "relevance")
    first = run.evaluate("test").counts["test_readings"]
    assert run.evaluate("test").counts["test_readings"] == first + 1


def test_a_run_is_refused_other_data(runs, log):
    frame = log.to_pandas().iloc[50:]
    other = sr.Interactions.from_frame(frame).prepare()
    with pytest.raises(DataError, match="was trained on data"):
        sr.load(runs("lstm", "next_item").folder, dataset=other)


def test_a_damaged_model_is_refused(runs, tmp_path):
    runs("lstm", "next_item").save(tmp_path / "model")
    weights = next((tmp_path / "model").glob("model.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        sr.load(tmp_path / "model")


def test_an_unknown_option_is_refused_with_the_nearest_name(split):
    with pytest.raises(ConfigError, match="did you mean `hidden_size`"):
        sr.fit("lstm", split, config={"lstm": {"hidden_sise": 3}})


def test_a_table_of_the_other_model_is_refused(split):
    with pytest.raises(ConfigError, match=r"\[cloze\] has no meaning for lstm"):
        sr.fit("lstm", split, config={"cloze": {"mask_prob": 0.3}})


@pytest.mark.parametrize("loss", ["sampled_ce", "bce", "gbce"])
@pytest.mark.parametrize("model", ["lstm", "bert4rec"])
def test_sampled_losses_train(split, quick, model, loss):
    config = sr.config.merge(
        quick(model),
        {
            "objective": {"loss": loss},
            "negatives": {"num_negatives": 16},
            "training": {"epochs": 1},
        },
    )
    report = sr.fit(model, split, config=config).evaluate()
    assert np.isfinite(report.metrics["ndcg@10"].value)


def test_popularity_matched_negatives_are_printed_in_the_protocol(split, quick):
    config = sr.config.merge(
        quick("lstm"),
        {"negatives": {"neg_sampling": "popularity"}, "training": {"epochs": 1}},
    )
    report = sr.fit("lstm", split, task="relevance", config=config).evaluate()
    assert "popularity" in str(report)


def test_the_global_split_trains_and_evaluates(dataset, quick):
    run = sr.fit("lstm", dataset.split("global_time"), config=quick("lstm"))
    assert run.evaluate("test").counts["users"] > 0


def test_the_callers_generator_is_left_where_it_was(split, quick):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    sr.fit("lstm", split, config=quick("lstm"), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
