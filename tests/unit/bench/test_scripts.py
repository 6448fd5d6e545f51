"""The scripts in benches/: tables from results, and instructions against their record."""

from __future__ import annotations

import dataclasses
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from seqrec.bench import Results, Row, write_results
from seqrec.bench.growth import Curve, Point, read_curves, write_curves

BENCHES = Path(__file__).parents[3] / "benches"
ROOT = BENCHES.parent
RESULTS = Results(
    date="2026-11-24",
    machine={},
    rows=[
        Row(
            job="rank",
            shape="films",
            contender=name,
            version="",
            threads=1,
            rate=rate,
            unit="rows/s",
        )
        for name, rate in (("seqrec", 30.0), ("numba", 10.0))
    ],
)


def script(name):
    spec = spec_from_file_location(name, BENCHES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path):
    """A project with both pages and one file of results."""
    tables = script("tables")
    rates, growth = ("\nold\n".join(tables.markers(name)) for name in ("benchmarks", "growth"))
    for page in ("README.md", "docs/performance.md"):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text(f"before\n{rates}\nbetween\n{growth}\nafter\n")
    (tmp_path / "benches/results/films").mkdir(parents=True)
    write_results(tmp_path / "benches/results/films/results.json", RESULTS)
    return tmp_path


def test_the_figures_of_both_pages_are_written_between_their_markers(project):
    script("tables").main(["--root", str(project)])
    readme, page = ((project / name).read_text() for name in ("README.md", "docs/performance.md"))
    assert "| Rank of the target, history filtered, films | 30 rows/s | numba 3 x |" in readme
    assert "| numba | 1 | 10 | 3 x as fast |" in page
    assert readme.startswith("before\n")
    assert readme.endswith("\nafter\n")
    assert (readme + page).count("old") == 2
    assert (project / "docs/performance.png").exists()


def test_ratios_are_to_whole_epochs_where_those_of_others_are(project):
    rows = [
        dataclasses.replace(RESULTS.rows[0], job="cloze", contender=name, rate=rate)
        for name, rate in (("seqrec", 30.0), ("seqrec, BatchStream", 20.0), ("RecBole", 10.0))
    ]
    peers = dataclasses.replace(RESULTS, rows=rows)
    write_results(project / "benches/results/peers.json", peers)
    script("tables").main(["--root", str(project), "--no-plot"])
    readme, page = ((project / name).read_text() for name in ("README.md", "docs/performance.md"))
    assert "| Cloze batch, films | 30 rows/s; whole epochs 20 | RecBole 2 x |" in readme
    assert "| RecBole | 1 | 10 | 2 x as fast |" in page
    assert page.count("x as fast") == 2  # and numba's


def test_curves_of_growth_are_written_beside_them(project):
    point = [Point(value=n, elements=n, seconds=n / 1e6) for n in (1_000, 4_000)]
    curve = Curve(name="ranks", elements="scores", points=point)
    write_curves(project / "benches/results/growth.json", [curve])
    script("tables").main(["--root", str(project)])
    page = (project / "docs/performance.md").read_text()
    assert "| ranks | 0.001 s for 1,000 scores | 0.004 s for 4,000 scores | 1.00 |" in page
    assert (project / "docs/growth.png").exists()
    assert read_curves(project / "benches/results/growth.json") == [curve]


def test_other_json_beside_the_results_is_left_alone(project):
    (project / "benches/results/limits.json").write_text('{"bytes": {}}')
    script("tables").main(["--root", str(project), "--no-plot"])


def test_writing_twice_changes_nothing(project):
    script("tables").main(["--root", str(project), "--no-plot"])
    once = (project / "README.md").read_text()
    script("tables").main(["--root", str(project), "--no-plot"])
    assert (project / "README.md").read_text() == once


def test_a_page_without_markers_is_named(project):
    (project / "README.md").write_text("nothing\n")
    with pytest.raises(SystemExit, match=r"README\.md lacks the markers"):
        script("tables").main(["--root", str(project), "--no-plot"])


def test_the_readmes_figures_are_those_of_the_committed_results():
    tables = script("tables")
    files = tables.stored(ROOT, "seqrec bench")
    if not files:
        pytest.skip("no results are committed yet")
    begin, end = tables.markers("benchmarks")
    between = (ROOT / "README.md").read_text().split(begin)[1].split(end)[0]
    assert between.strip() == tables.readme(tables.read_results(files))


RECORD = {"compiler": "rustc 1", "instructions": {"rank": 1000, "gone": 5}}


@pytest.mark.parametrize(
    ("count", "code", "said"), [(1010, 0, "+1.0%"), (1100, 1, "MORE"), (900, 0, "less: record it")]
)
def test_more_instructions_than_recorded_fail(count, code, said, capsys):
    assert script("instructions").compare({"rank": count}, "rustc 1", RECORD, 0.02) == code
    assert said in capsys.readouterr().out


def test_another_compiler_and_other_kernels_are_told(capsys):
    script("instructions").compare({"rank": 1000, "new": 7}, "rustc 2", RECORD, 0.02)
    said = capsys.readouterr().out
    assert "recorded with rustc 1, counted with rustc 2" in said
    assert "new: record it" in said
    assert "is recorded and gone" in said
