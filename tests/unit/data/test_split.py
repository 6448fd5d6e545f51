import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqrec.data.split import Split
from seqrec.errors import ConfigError, DataError


def raw(split: Split, part_name: str) -> dict:
    """Raw user -> (raw input, raw target) of a part."""
    dataset, part = split.dataset, split.part(part_name)
    decode = dataset.item_ids.decode
    return {
        int(dataset.user_ids.decode(np.array([user]))[0]): (
            decode(part.inputs.user(user) - 1).tolist(),
            int(decode(np.array([target]) - 1)[0]),
        )
        for user, target in zip(part.users.tolist(), part.targets.tolist(), strict=True)
    }


def test_leave_one_out_holds_out_the_last_two(make_log):
    split = make_log((1, 4), (1, 3), (1, 2), (1, 1)).split()
    assert split.train.user(0).tolist() == [4, 3]
    assert raw(split, "valid") == {1: ([4, 3], 2)}
    assert raw(split, "test") == {1: ([4, 3, 2], 1)}


def test_three_actions_are_enough(make_log):
    split = make_log((1, 4), (1, 3), (1, 2)).split()
    assert raw(split, "valid") == {1: ([4], 3)}


def test_users_with_two_actions_train_and_are_counted(make_log):
    split = make_log((1, 4), (1, 3), (1, 2), (2, 4), (2, 3), (3, 4)).split()
    assert split.train.lengths.tolist() == [1, 2, 1]
    assert split.valid.users.tolist() == split.test.users.tolist() == [0]
    assert split.not_evaluated == 2


def test_nobody_to_evaluate_is_an_error(make_log):
    with pytest.raises(DataError, match=r"none of the 2 users has 3 actions \(most: 2\)"):
        make_log((1, 4), (1, 3), (2, 4)).split()


def test_parts_are_views_of_the_items(make_log):
    split = make_log((1, 4), (1, 3), (1, 2)).split()
    for part in (split.train, split.valid.inputs, split.test.inputs):
        assert np.shares_memory(part.items, split.dataset.items)


def test_cold_targets_are_told_apart(make_log):
    rows = [(1, 4), (1, 3), (1, 9), (2, 3), (2, 8), (2, 4)]
    split = make_log(*rows).split()
    assert split.cold_targets(split.valid).sum() == 1
    assert split.cold_targets(split.test).tolist() == [True, False]


def test_item_counts_read_the_training_part_alone(make_log):
    split = make_log((1, 4), (1, 3), (1, 9), (2, 4), (2, 4), (2, 3), (2, 4)).split()
    assert split.item_counts.tolist() == [0, 3, 0]


def test_the_seen_filter_is_on_without_repeats_in_training(make_log):
    assert make_log((1, 4), (1, 3), (1, 4)).split().filter_seen


def test_the_seen_filter_is_off_with_a_repeat_in_training(make_log):
    assert not make_log((1, 4), (1, 4), (1, 3), (1, 2)).split().filter_seen


def test_an_unknown_part_is_refused(make_log):
    with pytest.raises(ConfigError, match="part"):
        make_log((1, 4), (1, 3), (1, 2)).split().part("train")


def test_global_time_takes_the_last_event_of_each_stretch(make_log):
    log = make_log((1, 1, 1), (1, 2, 5), (1, 3, 6), (1, 4, 9), (1, 5, 10))
    split = log.split("global_time", cuts=(5, 9))
    assert split.train.user(0).tolist() == [1]
    assert raw(split, "valid") == {1: ([1, 2], 3)}
    assert raw(split, "test") == {1: ([1, 2, 3, 4], 5)}


def test_users_without_a_training_history_are_left_out_and_counted(make_log):
    log = make_log((1, 1, 1), (1, 2, 5), (1, 3, 9), (2, 1, 5), (2, 2, 9), (3, 1, 9))
    split = log.split("global_time", cuts=(5, 9))
    assert split.valid.users.tolist() == split.test.users.tolist() == [0]
    assert split.not_evaluated == 2


def test_a_user_may_be_in_one_part_only(make_log):
    log = make_log((1, 1, 1), (1, 2, 5), (2, 1, 1), (2, 2, 9))
    split = log.split("global_time", cuts=(5, 9))
    assert (split.valid.users.tolist(), split.test.users.tolist()) == ([0], [1])
    assert raw(split, "test") == {2: ([1], 2)}


def test_the_cuts_are_the_times_at_eight_and_nine_tenths(make_log):
    rows = [(user, time, time) for time in range(1, 21) for user in (1,)]
    split = make_log(*rows).split("global_time")
    assert split.cuts == (17, 19)  # sorted places 16 and 18 of 1..20
    assert split.train.n_events == 16


def test_events_of_one_time_are_never_torn_apart(make_log):
    rows = [(user, user, time) for user in range(10) for time in (1, 2, 3, 4)]
    split = make_log(*rows).split("global_time", cuts=(3, 4))
    assert split.train.lengths.tolist() == [2] * 10


def test_global_time_needs_times(make_log):
    with pytest.raises(DataError, match=r"needs timestamps.*time_col"):
        make_log((1, 1), (1, 2), (1, 3)).split("global_time")


def test_an_empty_part_names_cuts_and_counts(make_log):
    log = make_log((1, 1, 1), (1, 2, 5), (2, 1, 20))
    with pytest.raises(DataError, match="cuts 5 and 9: 1 events before the first, 1 between, 1 f"):
        log.split("global_time", cuts=(5, 9))


def test_quantiles_of_one_time_ask_for_cuts(make_log):
    with pytest.raises(DataError, match="are both 7"):
        make_log((1, 1, 7), (1, 2, 7), (1, 3, 7)).split("global_time")


def test_cuts_in_the_wrong_order_are_refused(make_log):
    with pytest.raises(ConfigError, match="cuts"):
        make_log((1, 1, 1), (1, 2, 2)).split("global_time", cuts=(9, 5))


events = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=60
)


@given(rows=events)
def test_no_event_is_in_training_and_held_out(rows):
    import pandas as pd

    from seqrec.data.interactions import Interactions

    log = Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    dataset = log.prepare()
    for name, cuts in (("leave_one_out", None), ("global_time", (8, 14))):
        try:
            split = dataset.split(name, cuts)
        except DataError:
            continue
        for part in (split.valid, split.test):
            targets = part.inputs.stops[part.users]
            assert (targets >= split.train.stops[part.users]).all()
            assert (dataset.items[targets] == part.targets).all()
            assert (part.inputs.lengths[part.users] >= 1).all()
        both = np.intersect1d(split.valid.users, split.test.users)
        assert (split.valid.inputs.stops[both] < split.test.inputs.stops[both]).all()


@given(rows=events)
def test_global_time_trains_on_nothing_later_than_a_target(rows):
    import pandas as pd

    from seqrec.data.interactions import Interactions

    log = Interactions.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    try:
        split = log.split("global_time", cuts=(8, 14))
    except DataError:
        return
    times = split.dataset.times
    trained = [times[a:b] for a, b in zip(split.train.starts, split.train.stops, strict=True)]
    assert np.concatenate(trained).max() < 8
    assert (times[split.valid.inputs.stops[split.valid.users]] >= 8).all()
    assert (times[split.valid.inputs.stops[split.valid.users]] < 14).all()
    assert (times[split.test.inputs.stops[split.test.users]] >= 14).all()


@pytest.mark.parametrize("cuts", [(1.5, 2.5), ("1", "2"), (1,), (None, None), 3, "12", (False, 2)])
def test_cuts_are_two_integers(make_log, cuts):
    dataset = make_log((1, 1, 1), (1, 2, 2), (1, 3, 3)).prepare()
    with pytest.raises(ConfigError, match=r"`cuts` is .* two integers in the unit of the times"):
        dataset.split("global_time", cuts=cuts)


def test_cuts_of_numpy_are_integers_too(make_log):
    log = make_log(*((1, item, item) for item in range(1, 7)))
    cuts = tuple(np.array([4, 5]))
    assert log.split("global_time", cuts=cuts).cuts == (4, 5)
