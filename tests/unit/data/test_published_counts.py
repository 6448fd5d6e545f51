"""What is known of the public data sets must come out of them."""

import numpy as np
import pytest

from seqrec.data.dataset import Dataset
from seqrec.data.interactions import Interactions
from seqrec.data.pairs import evaluation_negatives

COUNTS = {
    "ml-1m": (6_040, 3_416, 999_611),
    "ml-100k": (943, 1_682, 100_000),
    "amazon-beauty": (22_363, 12_101, 198_502),
    "amazon-apps": (87_271, 13_209, 752_937),
    "retailrocket-sessions": (126_168, 36_968, 685_984),
}


@pytest.mark.parametrize("name", COUNTS)
def test_users_items_and_actions_are_the_published_ones(real_data, name):
    dataset = Interactions.from_file(real_data / f"{name}.parquet").prepare()
    assert (dataset.n_users, dataset.n_items, dataset.n_events) == COUNTS[name]


def test_movielens_100k_can_be_cut_by_time(real_data):
    split = Interactions.from_file(real_data / "ml-100k.parquet").split("global_time")
    assert split.train.n_events == pytest.approx(80_000, abs=200)
    times = split.dataset.times
    assert times[split.test.inputs.stops[split.test.users]].min() >= split.cuts[1]
    assert len(split.test.users) > 50
    assert split.not_evaluated > 100


def test_half_of_movielens_100k_shares_the_time_before(real_data):
    audit = Interactions.from_file(real_data / "ml-100k.parquet").prepare().audit
    assert audit["same_time_share"] == pytest.approx(0.51, abs=0.01)


def test_the_seen_filter_is_off_where_repeats_are_real(real_data):
    split = Interactions.from_file(real_data / "retailrocket-sessions.parquet").split()
    assert not split.filter_seen
    assert split.dataset.audit["repeated_pairs"] == 209_652


def test_the_seen_filter_is_on_for_movielens(real_data):
    assert Interactions.from_file(real_data / "ml-1m.parquet").split().filter_seen


def test_row_order_is_kept_where_there_are_no_times(real_data):
    import pyarrow.parquet as pq

    table = pq.read_table(real_data / "ml-1m.parquet")
    split = Interactions.from_parquet(real_data / "ml-1m.parquet").split()
    dataset = split.dataset
    raw_user = int(dataset.user_ids.decode(np.array([100]))[0])
    wanted = table["item_id"].to_numpy()[table["user_id"].to_numpy() == raw_user]
    got = dataset.item_ids.decode(dataset.sequences.user(100) - 1)
    assert got.tolist() == wanted.tolist()


def test_a_round_trip_through_a_folder_keeps_the_negatives(real_data, tmp_path):
    dataset = Interactions.from_file(real_data / "ml-100k.parquet").prepare()
    dataset.save(tmp_path / "data")
    splits = dataset.split(), Dataset.load(tmp_path / "data").split()
    first, second = (evaluation_negatives(split, split.test) for split in splits)
    np.testing.assert_array_equal(first, second)
    seen = splits[0].test.through_target
    for place, user in enumerate(splits[0].test.users[:50].tolist()):
        assert not np.isin(first[place], seen.user(user)).any()
