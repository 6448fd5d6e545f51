import random
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqrec.data.interactions import Interactions
from seqrec.data.prepare import Events, PrepareConfig, prepare
from seqrec.errors import ConfigError, DataError


def frame(rows: list[tuple]) -> Interactions:
    import pandas as pd

    names = ["user_id", "item_id", "timestamp"][: len(rows[0])]
    return Interactions.from_frame(pd.DataFrame(rows, columns=names))


def sequences(log: Interactions, **options) -> dict:
    """Raw user -> raw items, oldest first."""
    data = log.prepare(PrepareConfig(**options))
    raw = data.item_ids.decode(data.items - 1)
    users = data.user_ids.decode(np.arange(data.n_users)).tolist()
    return {u: raw[data.offsets[i] : data.offsets[i + 1]].tolist() for i, u in enumerate(users)}


def test_events_are_ordered_by_user_and_time(make_log):
    log = make_log((2, 5, 30), (1, 7, 20), (2, 6, 10), (1, 5, 10))
    assert sequences(log) == {1: [5, 7], 2: [6, 5]}


def test_a_log_may_go_once_its_events_are_sorted(make_log):
    log = make_log((2, 5, 30), (1, 7, 20), (2, 6, 10), (1, 5, 10))
    wanted = log.prepare().fingerprint
    columns = [weakref.ref(column) for column in (log.users, log.items, log.times)]
    events = Events.of(log)
    del log
    assert [column() for column in columns] == [None] * 3
    assert prepare(events, PrepareConfig()).fingerprint == wanted


def test_the_sequences_of_a_log_are_those_of_its_data_set(make_log):
    log = make_log((2, 5, 30), (1, 7, 20), (2, 6, 10), (1, 5, 10), (3, 7, 1), (3, 7, 2))
    sequences, data = log.sequences(), log.prepare()
    assert sequences.items.tolist() == data.items.tolist()
    assert sequences.starts.tolist() == data.offsets[:-1].tolist()
    assert sequences.stops.tolist() == data.offsets[1:].tolist()


def test_sequences_keep_exact_duplicates(make_log):
    assert make_log((1, 5, 1), (1, 5, 1)).sequences().user(0).tolist() == [1, 1]


def test_without_times_row_order_is_the_order(make_log):
    assert sequences(make_log((2, 9), (1, 7), (2, 3), (1, 8))) == {1: [7, 8], 2: [9, 3]}


def test_ties_keep_the_input_order_and_never_follow_the_item_id(make_log):
    log = make_log((1, 9, 5), (1, 3, 5), (1, 6, 5), (1, 1, 4))
    assert sequences(log) == {1: [1, 9, 3, 6]}


def test_internal_ids_follow_raw_ids_not_appearance(make_log):
    data = make_log(("b", 10), ("a", 9), ("b", 9)).prepare()
    assert data.items.tolist() == [1, 2, 1]
    assert data.user_ids.decode(np.array([0, 1])).tolist() == ["a", "b"]
    assert data.item_ids.decode(np.array([0, 1])).tolist() == [9, 10]


def test_exact_duplicates_are_dropped_and_counted(make_log):
    data = make_log((1, 5, 1), (1, 5, 1), (1, 5, 2), (2, 5, 1)).prepare()
    assert data.offsets.tolist() == [0, 2, 3]
    assert data.audit["source"]["duplicates"] == 1


def test_without_times_nothing_is_an_exact_duplicate(make_log):
    data = make_log((1, 5), (1, 5)).prepare()
    assert (data.n_events, data.audit["source"]["duplicates"]) == (2, 0)


@pytest.mark.parametrize(
    ("repeats", "kept"),
    [("keep", [5, 5, 6, 5]), ("first", [5, 6]), ("drop-consecutive", [5, 6, 5])],
)
def test_repeats_follow_the_policy(make_log, repeats, kept):
    log = make_log((1, 5), (1, 5), (1, 6), (1, 5))
    assert sequences(log, repeats=repeats) == {1: kept}


def test_dropped_repeats_are_counted(make_log):
    data = make_log((1, 5), (1, 5), (1, 6)).prepare(PrepareConfig(repeats="first"))
    assert data.audit["source"]["repeats_dropped"] == 1


def test_the_filter_goes_on_to_its_fixed_point(make_log):
    # Item 9 falls (1 action), then user 3 (1 action left), then item 8 (1 action left).
    log = make_log((1, 5), (1, 6), (2, 5), (2, 6), (2, 8), (3, 8), (3, 9))
    assert sequences(log, min_user=2, min_item=2) == {1: [5, 6], 2: [5, 6]}


def test_the_catalogue_is_what_the_filter_left(make_log):
    data = make_log((1, 5), (1, 7), (2, 5), (2, 7), (2, 6)).prepare(PrepareConfig(min_item=2))
    assert data.item_ids.decode(np.arange(data.n_items)).tolist() == [5, 7]
    assert data.audit["source"]["filtered"] == 1


def test_a_filter_that_leaves_nothing_tells_its_rounds(make_log):
    log = make_log((1, 5), (1, 6), (2, 5))
    with pytest.raises(DataError, match=r"min_user = 2, min_item = 2\) leaves nothing.*3 -> .*0"):
        log.prepare(PrepareConfig(min_user=2, min_item=2))


@pytest.mark.parametrize(
    "wrong",
    [{"min_user": 0}, {"min_item": -1}, {"min_item": 2.5}, {"min_item": "2"}, {"min_user": True},
     {"min_user": 2**31}, {"repeats": "drop"}],
)  # fmt: skip
def test_wrong_options_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PrepareConfig(**wrong)


def test_options_are_a_prepare_config(make_log):
    with pytest.raises(ConfigError, match=r"`config` is \{'min_user': 2\}: .* a PrepareConfig"):
        make_log((1, 5)).prepare({"min_user": 2})


def test_one_action_is_a_data_set(make_log):
    data = make_log((1, 5)).prepare()
    assert (data.n_users, data.n_items, data.items.tolist()) == (1, 1, [1])


events = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=40
)


@given(events, st.randoms(use_true_random=False))
def test_users_interleaved_in_any_way_give_the_same_data_set(
    rows: list[tuple], shuffle: random.Random
):
    users = [row[0] for row in rows]
    shuffle.shuffle(users)  # which user comes next; every user's own rows keep their order
    queues = {user: [row for row in rows if row[0] == user] for user in users}
    mixed = [queues[user].pop(0) for user in users]
    assert frame(mixed).prepare().fingerprint == frame(rows).prepare().fingerprint


@given(events)
def test_preparing_is_a_stable_sort_without_duplicates(rows: list[tuple]):
    expected: dict[int, list[int]] = {}
    for user, item, _ in dict.fromkeys(sorted(rows, key=lambda row: (row[0], row[2]))):
        expected.setdefault(user, []).append(item)
    assert sequences(frame(rows)) == expected


@given(events)
def test_integers_and_their_texts_differ_in_order_alone(rows: list[tuple]):
    texts = [(str(user), str(item), time) for user, item, time in rows]
    as_text = {int(u): [int(i) for i in items] for u, items in sequences(frame(texts)).items()}
    assert as_text == sequences(frame(rows))
