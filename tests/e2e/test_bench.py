"""`seqrec bench` from the outside."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from seqrec import cli


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
