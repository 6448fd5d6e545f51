"""The ceiling of simulated data: nobody is better than it, and the demo keeps its promises."""

from __future__ import annotations

import pytest

from seqrec.comparison import compare, run_demo
from seqrec.comparison.demo import ceiling


def of(comparisons, task):
    return next(c for c in comparisons if c.task == task)


@pytest.fixture(scope="module")
def small(log, dataset, split, quick, tmp_path_factory):
    """Both models on both tasks of the small log, beside its ceiling."""
    cells = {(m, t): quick(m) for m in ("lstm", "bert4rec") for t in ("next_item", "relevance")}
    return compare(
        "small", split, folder=tmp_path_factory.mktemp("ceiling"), cells=cells,
        layers={"short": {"training": {"epochs": 1}}}, ceiling=ceiling(log, dataset),
    )  # fmt: skip


@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_no_model_beats_the_ceiling_beyond_noise(small, task):
    compared = of(small, task)
    beaten = {
        pair: d for pair, d in compared.differences.items()
        if pair[1] == "ceiling" and d.verdict == "better"
    }  # fmt: skip
    assert not beaten


@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_the_ceiling_is_above_popularity(small, task):
    values = {r.system: r.metrics[of(small, task).headline].value for r in of(small, task).reports}
    assert values["ceiling"] > values["popularity"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_orders_popularity_markov_the_better_model_and_the_ceiling(tmp_path):
    compared = run_demo(tmp_path)
    for task in ("next_item", "relevance"):
        section = of(compared, task)
        values = {r.system: r.metrics[section.headline].value for r in section.reports}
        better = max(("lstm", "bert4rec"), key=values.__getitem__)
        assert values["popularity"] < values["markov"]
        assert section.differences[better, "popularity"].verdict == "better"
        assert section.differences[better, "markov"].verdict == "better"
        assert section.differences[better, "ceiling"].verdict == "worse"
    reports = {r.system: r for r in of(compared, "next_item").reports}
    assert reports["ceiling"].metrics["hit@10"].value < 0.8
