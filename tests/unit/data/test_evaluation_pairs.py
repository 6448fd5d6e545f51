import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest

from seqrec.data.pairs import evaluation_negatives, is_positive, write_pairs
from seqrec.errors import ConfigError, DataError


def key(part: str, raw: str, draw: int, attempt: int, purpose: str = "uniform") -> int:
    text = f"seqrec/1|{purpose}|{part}|{raw}|{draw}|{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def expected(part: str, raw: str, draw: int, n_items: int, excluded: set[int]) -> int:
    attempt = 0
    while (item := key(part, raw, draw, attempt) * n_items // 2**64 + 1) in excluded:
        attempt += 1
    return item


@pytest.fixture
def split(make_log):
    rows = [(user, (user * 3 + place * place) % 12) for user in range(7) for place in range(5)]
    return make_log(*rows).split()


def test_negatives_are_the_protocols_draws(split):
    n_items = split.dataset.n_items
    for part in (split.valid, split.test):
        negatives = evaluation_negatives(split, part, draws=4)
        for place in np.flatnonzero(is_positive(part)):
            user = part.users[place]
            excluded = {*part.inputs.user(user).tolist(), int(part.targets[place])}
            raw = str(split.dataset.user_ids.decode(np.array([user]))[0])
            by_hand = [expected(part.name, raw, draw, n_items, excluded) for draw in range(4)]
            assert negatives[place].tolist() == by_hand


def test_ten_draws_are_the_default(split):
    assert evaluation_negatives(split, split.test).shape == (7, 10)


def test_popularity_draws_follow_the_training_counts(split):
    counts = split.item_counts
    negatives = evaluation_negatives(split, split.test, kind="popularity")
    assert (counts[negatives - 1] > 0).all()
    part, cumulative = split.test, np.cumsum(counts).tolist()
    for place in np.flatnonzero(is_positive(part)):
        user = part.users[place]
        excluded = {*part.inputs.user(user).tolist(), int(part.targets[place])}
        raw = str(split.dataset.user_ids.decode(np.array([user]))[0])
        attempt, item = 0, None
        while item is None or item in excluded:
            event = key("test", raw, 0, attempt, "popularity") * cumulative[-1] // 2**64
            item = next(i for i, total in enumerate(cumulative, start=1) if event < total)
            attempt += 1
        assert negatives[place, 0] == item


def test_a_user_who_is_not_judged_may_have_taken_everything(make_log):
    histories = [(7, 8, 9, 7), (7, 7, 8), (8, 8, 7)]
    rows = [(user, item) for user, history in enumerate(histories) for item in history]
    split = make_log(*rows).split()
    assert is_positive(split.test).tolist() == [False, True, True]
    assert evaluation_negatives(split, split.test, draws=2).tolist() == [[1, 1], [3, 3], [3, 3]]


def test_a_negative_does_not_depend_on_the_other_users(make_log):
    rows = [(user, user % 5 + place) for user in range(6) for place in range(3)]
    whole = make_log(*rows).split()
    renamed = make_log(*[(user + 100 if user < 3 else user, item) for user, item in rows]).split()
    before = evaluation_negatives(whole, whole.test)[3:]
    after = evaluation_negatives(renamed, renamed.test)[:3]
    assert before.tolist() == after.tolist()


def test_a_user_who_took_everything_is_named_by_raw_id(make_log):
    split = make_log((8, 1), (8, 2), (9, 1), (9, 2), (9, 3)).split()
    with pytest.raises(DataError, match="user 9 has taken all 3 items"):
        evaluation_negatives(split, split.test)


def test_a_user_who_took_everything_that_was_trained_on_is_named_by_raw_id(make_log):
    split = make_log(("ann", 1), ("ann", 2), ("bob", 2), ("bob", 1), ("bob", 3)).split()
    assert split.item_counts.tolist() == [1, 2, 0]
    with pytest.raises(DataError, match="user 'bob' has taken all 2 items"):
        evaluation_negatives(split, split.test, kind="popularity")


def test_no_draws_are_refused(split):
    with pytest.raises(ConfigError, match="draws"):
        evaluation_negatives(split, split.test, draws=0)


def test_a_target_in_its_own_history_is_no_positive(make_log):
    rows = [(1, 5), (1, 6), (1, 5), (2, 5), (2, 6), (2, 7), (3, 8), (3, 9), (3, 7)]
    split = make_log(*rows).split()
    assert is_positive(split.test).tolist() == [False, True, True]
    assert is_positive(split.valid).tolist() == [True, True, True]


def test_each_draw_is_written_whole_with_raw_ids(make_log, tmp_path):
    rows = [("a", 10), ("a", 20), ("a", 30), ("b", 40), ("b", 10), ("b", 20)]
    split = make_log(*rows).split()
    negatives = evaluation_negatives(split, split.test, draws=2)
    write_pairs(tmp_path / "pairs.parquet", split, split.test, negatives)
    table = pq.read_table(tmp_path / "pairs.parquet").to_pydict()
    raw = split.dataset.item_ids.decode(negatives - 1)
    assert table == {
        "user_id": ["a", "a", "b", "b"] * 2,
        "item_id": [30, raw[0, 0], 20, raw[1, 0], 30, raw[0, 1], 20, raw[1, 1]],
        "label": [1, 0] * 4,
        "draw": [0] * 4 + [1] * 4,
    }


def test_users_without_a_positive_are_not_written(make_log, tmp_path):
    rows = [(1, 5), (1, 6), (1, 5), (2, 5), (2, 6), (2, 7)]
    split = make_log(*rows).split()
    negatives = np.array([[3], [1]], dtype=np.int32)
    write_pairs(tmp_path / "pairs.parquet", split, split.test, negatives)
    assert pq.read_table(tmp_path / "pairs.parquet")["user_id"].to_pylist() == [2, 2]
