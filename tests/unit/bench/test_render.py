"""Tables, and the pictures beside them."""

from __future__ import annotations

import sys

import pytest

from seqrec.bench import Results, Row
from seqrec.bench.growth import Curve, Growth, Point, grow
from seqrec.bench.plot import plot_growth, plot_rates
from seqrec.bench.render import render, summary
from seqrec.bench.shapes import Sizes
from seqrec.errors import ConfigError


def row(contender, rate, **more):
    return Row(
        job="cloze", shape="ml1m", contender=contender, version="1.0", threads=2, rate=rate,
        unit="batches/s", **more,
    )  # fmt: skip


RESULTS = Results(
    date="2026-11-24T15:00:00+00:00",
    machine={"cpu": "a processor", "cores": 2, "simd": ["avx2"]},
    rows=[
        row("numba", 20.0, low=19.0, high=21.0),
        row("seqrec", 50.0, low=49.0, high=52.0, share=0.61),
        row("cobol", None, note="absent: nobody has it"),
    ],
)
PEERS = Results(date="2026-11-24", machine={}, rows=[row("seqrec", 48.0), row("RecBole", 0.4)])


def test_the_fastest_comes_first_and_who_was_not_timed_last():
    table = render([RESULTS]).splitlines()[2:]
    assert [line.split()[0] for line in table[2:]] == ["seqrec", "numba", "cobol"]
    assert table[0] == "Cloze batch, ml1m (batches/s)"


def test_a_line_has_rate_quartiles_ratio_and_share():
    text = render([RESULTS])
    assert "2.5 x as fast" in text
    assert "19-21" in text
    assert "61%" in text


def test_a_column_that_nobody_fills_is_left_out():
    assert "of the limit" not in render([PEERS])


def test_markdown_says_machine_and_date():
    text = render([RESULTS], "markdown")
    assert text.startswith("2026-11-24T15:00:00+00:00, a processor, 2 cores, avx2")
    assert "| seqrec | 1.0 | 2 | 50 | 49-52 |  | 61% |  |" in text


def test_the_summary_has_one_line_for_the_same_work_in_several_runs():
    lines = summary([RESULTS, PEERS]).splitlines()
    assert lines[2:] == ["| Cloze batch, ml1m | 50 batches/s | numba 2.5 x · RecBole 120 x |"]


def test_rates_are_drawn(tmp_path):
    plot_rates([RESULTS, PEERS], tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


CURVE = Curve(
    name="rank",
    elements="scores",
    points=[Point(value=n, elements=n, seconds=1e-9 * n**1.5) for n in (10, 100, 1000, 10_000)],
)


def test_the_slope_is_that_of_the_logarithms():
    assert CURVE.slope() == pytest.approx(1.5)


def test_growth_is_drawn(tmp_path):
    plot_growth([CURVE], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_is_said_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqrec\[bench\]', or go without a plot"):
        plot_rates([RESULTS], tmp_path / "rates.png")


def test_every_curve_can_be_measured():
    growth = Growth(sizes=Sizes(batch_size=16, threads=2), rounds=1, sample_seconds=1e-4,
                    largest=400_000)  # fmt: skip
    curves = grow(["length", "catalogue", "rows"], growth)
    assert [len(curve.points) for curve in curves] == [6, 2, 2]
    assert all(point.seconds > 0 for curve in curves for point in curve.points)


def test_a_curve_of_one_point_has_no_slope_and_is_refused():
    with pytest.raises(ConfigError, match="at least 300000: a slope needs two points"):
        grow(["rows"], Growth(sizes=Sizes(), rounds=1, largest=299_999))


def test_an_unknown_curve_is_named():
    with pytest.raises(ConfigError, match="did you mean `rows`"):
        grow(["row"], Growth(sizes=Sizes(), rounds=1))
