import json
import re

import pytest

from seqrec.data.audit import render
from seqrec.data.prepare import PrepareConfig


@pytest.fixture
def audit(make_log) -> dict:
    # User 1: 5 actions, 2 of them at the time of the one before; user 2: 3; user 3: 1.
    return make_log(
        (1, 1, 10), (1, 2, 10), (1, 3, 11), (1, 4, 12), (1, 5, 12),
        (2, 1, 1), (2, 2, 2), (2, 3, 3),
        (3, 1, 3), (3, 1, 3),
    ).prepare().audit  # fmt: skip


def test_users_items_and_actions_are_counted(audit):
    assert (audit["users"], audit["items"], audit["actions"]) == (3, 5, 9)


@pytest.mark.parametrize(
    ("user", "item", "kinds"),
    [(1, 7, "integers / integers"), ("u", 7, "text / integers"), (1, "B07", "integers / text")],
)
def test_what_the_ids_were_read_as_is_told(make_log, user, item, kinds):
    audit = make_log((user, item), (user, item)).prepare().audit
    assert " / ".join(audit["ids"].values()) == kinds
    lines = [line for line in render(audit).splitlines() if line.startswith("ids of users")]
    assert [line.split("  ")[-1].strip() for line in lines] == [kinds]


def test_the_first_and_the_last_time_are_told(audit):
    assert audit["times"] == [1, 12]
    assert re.search(r"^timestamps, first / last +1 / 12$", render(audit), re.MULTILINE)


def test_the_density_is_actions_over_cells(audit):
    assert audit["density"] == 9 / 15


def test_lengths_are_told_by_quantiles(audit):
    assert audit["lengths"]["mean"] == 3
    assert [audit["lengths"][name] for name in ("min", "median", "max")] == [1, 3, 5]


def test_duplicates_are_counted(audit):
    assert audit["source"]["duplicates"] == 1


def test_rows_that_share_the_time_before_are_a_share_of_all_rows(audit):
    # User 3's only row has the time of user 2's last one: another user's time is not before it.
    assert audit["same_time_share"] == 2 / 9


def test_users_that_are_not_evaluated_are_counted(audit):
    assert audit["leave_one_out"]["evaluated"] == 2
    assert audit["leave_one_out"]["not_evaluated"] == 1


def test_cold_targets_are_counted(audit):
    # Training holds items 1, 2, 3, 1, 1: of the targets 4, 5 and 2, 3 the first two are cold.
    assert audit["leave_one_out"]["cold_valid"] == 1
    assert audit["leave_one_out"]["cold_test"] == 1


def test_later_training_events_are_a_share_averaged_over_users(audit):
    # Training times 10, 10, 11, 1, 3. Later than user 1's test (12): none; than user 2's (3): 3.
    assert audit["leave_one_out"]["later_share"] == pytest.approx((0 + 3 / 5) / 2)


def test_without_times_shares_are_absent(make_log):
    audit = make_log((1, 1), (1, 2), (1, 3)).prepare().audit
    assert audit["same_time_share"] is None
    assert audit["times"] is None
    assert audit["leave_one_out"]["later_share"] is None


def test_repeated_pairs_are_counted(make_log):
    assert make_log((1, 1), (1, 2), (1, 1), (2, 1)).prepare().audit["repeated_pairs"] == 1


def test_the_filter_tells_what_it_removed(make_log):
    log = make_log((1, 1), (1, 2), (2, 1))
    audit = log.prepare(PrepareConfig(min_item=2)).audit
    assert audit["source"]["filtered"] == 1
    assert audit["source"]["rounds"][-1] == 2


def test_nobody_to_evaluate_is_an_audit_too(make_log):
    audit = make_log((1, 1, 5)).prepare().audit
    assert audit["leave_one_out"] == {
        "evaluated": 0, "not_evaluated": 1, "cold_valid": 0, "cold_test": 0, "later_share": None,
    }  # fmt: skip


def test_the_audit_is_plain_json(audit):
    assert json.loads(json.dumps(audit)) == audit


def test_the_table_is_aligned(audit):
    lines = render(audit).splitlines()
    assert lines[0].split() == ["users", "3"]
    columns = {line.rindex("  ") for line in lines}
    assert len(columns) == 1


def test_the_table_says_where_times_are_missing(make_log):
    assert "no timestamps" in render(make_log((1, 1), (1, 2)).prepare().audit)


def test_a_small_data_set_names_what_it_was_taken_from(make_log):
    dataset = make_log(*[(user, 1) for user in range(100)]).prepare()
    assert dataset.fingerprint in render(dataset.small().audit)


def test_times_of_users_who_are_not_evaluated_are_no_missing_times(make_log):
    lines = render(make_log((1, 1, 1), (2, 1, 2)).prepare().audit).splitlines()
    assert lines[-2].endswith("nobody is evaluated")
