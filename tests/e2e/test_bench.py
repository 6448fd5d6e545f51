"""`seqrec bench` from the outside."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from seqrec import cli
from seqrec.bench.growth import CURVES
from seqrec.bench.jobs import JOBS


def seqrec(*arguments, cwd, code=0):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = cli.run([str(argument) for argument in arguments])
    assert ended == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


QUICK = ["--batch-size", 16, "--sample-seconds", 1e-4]


def test_a_shape_is_timed_and_the_report_written(tmp_path):
    out, _ = seqrec("bench", "--shape", "tiny", "--job", "next_item", *QUICK, cwd=tmp_path)
    assert "Next-item batch, tiny (batches/s)" in out
    assert "x as fast" in out
    document = json.loads((tmp_path / "bench/results.json").read_text())
    assert document["format"] == "seqrec bench"
    assert {row["contender"] for row in document["rows"]} >= {"seqrec", "numba", "DataLoader"}
    assert (tmp_path / "bench/results.md").read_text().count("| seqrec |") == 1
    assert (tmp_path / "bench/results.png").exists()


def test_own_data_is_timed_and_named_after_its_folder(tmp_path):
    seqrec("data", "simulate", "--users", 100, "--items", 40, "--mean-length", 8,
           "--out", "log.parquet", cwd=tmp_path)  # fmt: skip
    seqrec("prepare", "log.parquet", "--out", "mine", cwd=tmp_path)
    out, _ = seqrec("bench", "mine", "--job", "negatives", "--no-plot", "--format", "json", *QUICK,
                    cwd=tmp_path)  # fmt: skip
    assert {row["shape"] for row in json.loads(out)["rows"]} == {"mine"}
    assert not (tmp_path / "bench/results.png").exists()


def test_growth_is_timed_and_its_slopes_printed(tmp_path):
    out, _ = seqrec("bench", "--grow", "--largest", 400_000, *QUICK, cwd=tmp_path)
    assert len([line for line in out.splitlines() if ": slope " in line]) == 4
    assert len(json.loads((tmp_path / "bench/growth.json").read_text())["curves"]) == 4
    assert (tmp_path / "bench/growth.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["somewhere", "--shape", "tiny"], 2, "not both"),
        (["somewhere"], 3, "somewhere"),
        (["--shape", "tiny", "--rounds", "3"], 2, "at least 7"),
        (["--grow", "--rounds", "0"], 2, "at least 7"),
        (["--shape", "tiny", "--sample-seconds", "nan"], 2, "sample_seconds"),
        (["--shape", "tiny", "--device", "abacus"], 2, "device"),
        (["--shape", "tiny", "--job", "rank", "--device", "cuda"], 2, "without the job data_wait"),
        (["--shape", "tiny", "--seed", 2**63], 2, "seed"),
        (["--shape", "tiny", "--threads", "0"], 2, "threads"),
        (["--shape", "tiny", "--threads", "4097"], 2, "the cores that there are"),
        (["--shape", "tiny", "--batch-size", "1"], 2, "batch_size"),
        (["--largest", "5"], 2, "--largest goes with --grow"),
        (["--grow", "--job", "rank"], 2, "give it none"),
        (["--shape", "tiny", "--limits", "nowhere.json"], 3, "nowhere.json"),
    ],
)
def test_bad_options_are_one_clear_line(tmp_path, arguments, code, said):
    _, stderr = seqrec("bench", "--no-plot", *arguments, cwd=tmp_path, code=code)
    assert said in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def few_items(tmp_path):
    """Three users who have taken most of five items: too few for lists of ten."""
    rows = ["user_id,item_id,timestamp"]
    rows += [f"{user},{item},{item}" for user in range(3) for item in range(user, user + 3)]
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n")
    seqrec("prepare", "log.csv", "--out", "few", cwd=tmp_path)
    return tmp_path / "few"


def test_a_job_that_the_data_cannot_have_is_left_out_of_the_table(few_items):
    jobs = ["--job", "cloze", "--job", "top_k", "--job", "rank", "--job", "cloze"]
    quick = ["--batch-size", 2, "--sample-seconds", 1e-4, "--no-plot"]
    out, err = seqrec("bench", "few", *jobs, *quick, "--format", "json", cwd=few_items.parent)
    assert "top_k, few: left out, option `job` is 'top_k'" in err
    ours = [row for row in json.loads(out)["rows"] if row["contender"] == "seqrec"]
    assert [(row["job"], row["rate"] is None) for row in ours] == [
        ("cloze", False), ("top_k", True), ("rank", False),
    ]  # fmt: skip
    assert ours[1]["note"].startswith("absent: option `job` is 'top_k'")


def test_data_that_can_have_no_job_are_refused(few_items):
    asked = ["bench", "few", "--job", "top_k", "--batch-size", 2]
    _, err = seqrec(*asked, cwd=few_items.parent, code=2)
    assert "everybody has 10 items left" in err


def test_what_was_timed_before_an_interruption_is_kept(tmp_path, monkeypatch):
    def interrupted(_problem):
        raise KeyboardInterrupt

    monkeypatch.setitem(JOBS, "rank", interrupted)
    jobs = ["--job", "next_item", "--job", "rank"]
    seqrec("bench", "--shape", "tiny", *jobs, *QUICK, "--no-plot", cwd=tmp_path, code=130)
    document = json.loads((tmp_path / "bench/results.json").read_text())
    assert {row["job"] for row in document["rows"]} == {"next_item"}


def test_growth_refuses_a_size_that_is_too_small_before_it_measures(tmp_path):
    said = "at least 300000: a slope needs two points"
    _, err = seqrec("bench", "--grow", "--largest", 299_999, *QUICK, cwd=tmp_path, code=2)
    assert said in err
    assert ": slope" not in err
    assert " = " not in err
    assert list(tmp_path.iterdir()) == []


def test_growth_is_json_where_that_is_wanted(tmp_path, monkeypatch):
    for name in ("length", "batch", "rows"):
        monkeypatch.delitem(CURVES, name)
    asked = ["bench", "--grow", "--largest", 200_000, *QUICK, "--no-plot", "--format", "json"]
    out, _ = seqrec(*asked, cwd=tmp_path)
    (curve,) = json.loads(out)["curves"]
    assert curve["name"] == "ranks of 1,000 users, V varied"


def test_a_plot_that_cannot_be_drawn_leaves_the_one_before_and_the_table(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/results.png").write_bytes(b"before")

    def full_disk(_figure, path, **_):
        path.write_bytes(b"cut sh")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    asked = ["bench", "--shape", "tiny", "--job", "next_item", *QUICK]
    out, err = seqrec(*asked, cwd=tmp_path, code=5)
    assert "Next-item batch, tiny" in out
    assert "cannot write" in err
    assert "results.png: No space left on device" in err
    assert (tmp_path / "bench/results.png").read_bytes() == b"before"
