import pytest

from seqrec.errors import ConfigError, DataError
from seqrec.evaluation.intervals import Estimate
from seqrec.evaluation.report import Report, grid, table

REPORT = Report(
    system="markov",
    protocol={"version": 1, "task": "next_item", "filter_seen": True, "catalogue": 3416},
    metrics={"hit@10": Estimate(0.25, 0.2, 0.3), "ece": Estimate(0.01)},
    counts={"users": 6040, "tied_share": 0.125},
    slices={"warm targets": {"hit@10": Estimate(0.26, 0.21, 0.31), "ece": Estimate(0.02)}},
)


def test_json_and_back_is_the_same_report():
    assert Report.from_json(REPORT.to_json()) == REPORT


def test_an_unknown_key_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"report.metric.*did you mean `metrics`"):
        Report.from_dict({**REPORT.to_dict(), "metric": {}})


def test_a_missing_key_is_named():
    values = REPORT.to_dict()
    del values["counts"]
    with pytest.raises(DataError, match="lacks `counts`"):
        Report.from_dict(values)


def test_an_estimate_without_bounds_is_refused():
    with pytest.raises(DataError, match=r"`hit@10` is 0\.5"):
        Report.from_dict({**REPORT.to_dict(), "metrics": {"hit@10": 0.5}})


def test_text_is_aligned_and_carries_the_protocol():
    assert str(REPORT).splitlines() == [
        "markov   value     95 % interval  warm targets",
        "------  ------  ----------------  ------------",
        "hit@10  0.2500  [0.2000, 0.3000]        0.2600",
        "ece     0.0100                          0.0200",
        "",
        "users: 6,040, tied share: 0.125",
        "version: 1, task: next_item, filter seen: on, catalogue: 3,416",
    ]


def test_markdown_is_a_table():
    assert REPORT.to_markdown().splitlines()[:3] == [
        "| markov |  value |    95 % interval | warm targets |",
        "| ------ | -----: | ---------------: | -----------: |",
        "| hit@10 | 0.2500 | [0.2000, 0.3000] |       0.2600 |",
    ]


def test_a_table_has_one_row_a_system():
    other = Report(
        system="ease",
        protocol=REPORT.protocol,
        metrics={"hit@10": Estimate(0.2, 0.1, 0.3)},
        counts={},
    )
    assert table([REPORT, other], metrics=["hit@10"]).splitlines()[:4] == [
        "system                   hit@10",
        "------  -----------------------",
        "markov  0.2500 [0.2000, 0.3000]",
        "ease    0.2000 [0.1000, 0.3000]",
    ]


def test_a_table_of_two_protocols_is_refused():
    other = Report(
        system="ease",
        protocol={**REPORT.protocol, "filter_seen": False},
        metrics=REPORT.metrics,
        counts={},
    )
    with pytest.raises(DataError, match="`filter_seen` is True in one and False"):
        table([REPORT, other])


def test_a_metric_that_a_report_lacks_is_named():
    with pytest.raises(ConfigError, match=r"metric hit@20.*did you mean `hit@10`"):
        table([REPORT], metrics=["hit@20"])


def test_counts_can_be_added():
    assert REPORT.with_counts({"test_reads": 1}).counts["test_reads"] == 1


def test_a_grid_without_rows_is_its_header():
    assert grid(["a", "b"], []) == "a  b\n-  -"
