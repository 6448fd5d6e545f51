"""Every job runs at a tiny shape, and everybody in it computes the same."""

from __future__ import annotations

import pytest

from seqrec.bench import run as bench
from seqrec.bench.contender import Contender, Job
from seqrec.bench.jobs import JOBS
from seqrec.bench.scores import Scored
from seqrec.errors import ConfigError

CASES = {
    "cloze": 1, "next_item": 1, "relevance": 1, "negatives": 4, "rank": 2, "top_k": 2, "ingest": 6,
    "evaluate": 1, "data_wait": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_all_contenders_of_a_job_compute_the_same_and_are_timed(name, tiny, few_steps):
    problem = few_steps if name == "data_wait" else tiny
    rows = bench.run(problem, [name], sample_seconds=1e-4).rows
    assert [row.note for row in rows if row.rate is None and "strings" not in row.note] == []
    assert len({row.group for row in rows}) == CASES[name]
    ours = [row for row in rows if row.contender == "seqrec"]
    assert len(ours) == CASES[name]
    assert all(row.low <= row.rate <= row.high and row.rounds == 7 for row in rows if row.rate)


@pytest.mark.parametrize("name", ["rank", "top_k", "evaluate"])
def test_no_call_gathers_the_places_of_seen_items(name, tiny, monkeypatch):
    cases = list(JOBS[name](tiny))
    monkeypatch.setattr(Scored, "seen", None)
    for contender in (one for case in cases for one in case.contenders):
        contender.call(0)


def two_contenders(_problem):
    job = Job(
        name="count",
        unit="calls/s",
        contenders=[
            Contender(name="seqrec", call=lambda _: 1),
            Contender(name="wrong", call=lambda _: 2),
        ],
        absent={"cobol": "nobody has it"},
        fault=lambda contender: None if contender.call(0) == 1 else "it says 2, not 1",
    )
    yield job


def test_a_contender_that_computes_something_else_is_refused_with_the_reason(tiny, monkeypatch):
    monkeypatch.setitem(JOBS, "cloze", two_contenders)
    results = bench.run(tiny, ["cloze"], sample_seconds=1e-4)
    rows = {row.contender: row for row in results.rows}
    assert rows["seqrec"].rate > 0
    assert rows["wrong"].rate is None
    assert [row.note for row in bench.refusals(results)] == ["refused: it says 2, not 1"]


def test_who_cannot_take_part_is_named_with_the_reason(tiny, monkeypatch):
    monkeypatch.setitem(JOBS, "cloze", two_contenders)
    (row,) = (
        r for r in bench.run(tiny, ["cloze"], sample_seconds=1e-4).rows if r.contender == "cobol"
    )
    assert (row.rate, row.note) == (None, "absent: nobody has it")


def test_an_unknown_job_is_named(tiny):
    with pytest.raises(ConfigError, match="did you mean `rank`"):
        bench.run(tiny, ["ranks"])


def test_a_median_needs_rounds(tiny):
    with pytest.raises(ConfigError, match="at least 7"):
        bench.run(tiny, ["cloze"], rounds=6)


def test_the_share_of_the_limit_is_the_floor_over_the_time(tiny):
    table = {name: 1.0 for name in ("read L2", "fill L2", "draws")}
    limits = {"threads": {"2": table}}
    rows = bench.run(tiny, ["next_item"], sample_seconds=1e-4, limits=limits).rows
    floor = 20 * 32 * tiny.max_seq_len / 1e9
    assert all(row.share == pytest.approx(row.rate * floor) for row in rows)
