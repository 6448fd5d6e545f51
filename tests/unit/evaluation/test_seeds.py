import dataclasses
import statistics

import pytest

from seqrec.errors import DataError
from seqrec.evaluation import Difference, Estimate, Report, mean_difference_of, mean_report, table


def report(value: float, *, seed: int = 0, part: str = "test", caveat: str = "") -> Report:
    return Report(
        system="lstm",
        protocol={"part": part},
        metrics={"hit@10": Estimate(value, value - 0.1, value + 0.2), "ece": Estimate(value)},
        counts={"users": 7, "test_readings": seed + 1},
        training={"status": "completed", "seed": seed},
        caveat=caveat,
    )


def test_values_and_bounds_are_means_over_the_seeds():
    hit, ece = mean_report([report(0.2), report(0.4)]).metrics.values()
    assert hit == pytest.approx((0.3, 0.2, 0.5))
    assert ece.value == pytest.approx(0.3)
    assert ece.low is None


def test_the_spread_is_the_standard_deviation_over_the_seeds():
    values = [0.2, 0.4, 0.9]
    found = mean_report([report(value) for value in values]).spread["hit@10"]
    assert found == pytest.approx(statistics.stdev(values))


def test_one_seed_stays_as_it_is():
    assert mean_report([report(0.2)]) == report(0.2)


def test_what_seeds_have_in_common_stands_once():
    both = mean_report([report(0.2, seed=0), report(0.4, seed=1)])
    assert both.training == {"status": "completed", "seed": "0 / 1"}
    assert both.counts == {"users": 7, "test_readings": 2}


def test_a_share_of_the_seeds_is_their_mean():
    shares = [dataclasses.replace(report(0.2), counts={"tied_share": s}) for s in (0.0, 0.5)]
    assert mean_report(shares).counts == {"tied_share": 0.25}


def test_one_caveat_of_any_seed_is_the_caveat_of_all():
    assert mean_report([report(0.2), report(0.4, caveat="time-limited")]).caveat == "time-limited"


def test_seeds_of_two_protocols_have_no_mean():
    with pytest.raises(DataError, match="two seeds of `lstm`"):
        mean_report([report(0.2), report(0.4, part="valid")])


def test_a_report_of_seeds_survives_json():
    both = mean_report([report(0.2), report(0.4)])
    assert Report.from_json(both.to_json()) == both


def test_a_table_has_the_spread_in_a_column_of_its_own():
    both = mean_report([report(0.2), report(0.4)])
    header, _, row = table([both], "markdown", ["hit@10"]).splitlines()[:3]
    assert header.split() == ["|", "system", "|", "hit@10", "|", "seeds", "|"]
    assert row.split("|")[2:4] == [" 0.3000 [0.2000, 0.5000] ", " ±0.1414 "]


def test_a_table_of_single_runs_has_no_such_column():
    assert "seeds" not in table([report(0.2)])


def test_seeds_agree_only_if_each_interval_excludes_zero_on_one_side():
    better, unclear, worse = (
        Difference(0.1, 0.05, 0.2),
        Difference(0.1, -0.05, 0.2),
        Difference(-0.1, -0.2, -0.05),
    )
    assert mean_difference_of([better, better]).verdict == "better"
    assert mean_difference_of([worse, worse]).verdict == "worse"
    assert mean_difference_of([better, unclear]).verdict == "not shown"
    assert mean_difference_of([better, worse]).verdict == "not shown"


def test_the_verdict_on_a_loss_keeps_its_direction():
    lower = Difference(-0.1, -0.2, -0.05, higher_is_better=False)
    assert mean_difference_of([lower, lower]).verdict == "better"
