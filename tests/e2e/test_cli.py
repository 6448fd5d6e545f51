"""The command line as a user runs it: in processes of its own, from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

ENV = {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "100"}


def seqrec(*arguments, cwd, code=0):
    """Runs the command line and returns (stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-c", "from seqrec.cli import main; main()", *map(str, arguments)],
        cwd=cwd, env=ENV, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


QUICK = ["--set", "windows.max_seq_len=20", "--set", "training.batch_size=64", "--epochs", "1",
         "--device", "cpu"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a simulated log, its prepared data set and a trained run."""
    folder = tmp_path_factory.mktemp("cli")
    seqrec("data", "simulate", "--users", 200, "--items", 60, "--mean-length", 12,
           "--out", "log.parquet", cwd=folder)  # fmt: skip
    seqrec("prepare", "log.parquet", "--out", "data", "--export", "parts", cwd=folder)
    seqrec("train", "data", "--out", "run", "--model", "lstm", "--task", "next_item", *QUICK,
           cwd=folder)  # fmt: skip
    return folder


def test_prepare_prints_an_audit_and_exports_parts_and_pairs(place):
    out, _ = seqrec("audit", "data", cwd=place)
    assert "200" in out
    assert len(list((place / "parts").glob("*.parquet"))) >= 3


def test_evaluate_prints_intervals_and_protocol(place):
    out, _ = seqrec("evaluate", "data", "--run", "run", cwd=place)
    assert "ndcg@10" in out
    assert "95 % interval" in out
    report = json.loads(
        seqrec("evaluate", "data", "--run", "run", "--format", "json", cwd=place)[0]
    )
    assert report["protocol"]["split"] == "leave_one_out"


def test_own_lists_judged_as_predictions_give_the_evaluated_hit_rate(place):
    valid = pd.read_parquet(place / "parts" / "train.parquet")
    valid.to_csv(place / "histories.csv", index=False)
    seqrec("recommend", "run", "--sequences", "histories.csv", "-k", 10, "--out", "lists.parquet",
           cwd=place)  # fmt: skip
    out, _ = seqrec("evaluate", "data", "--predictions", "lists.parquet", "--task", "next_item",
                    "--part", "valid", "--format", "json", cwd=place)  # fmt: skip
    own, _ = seqrec("evaluate", "data", "--run", "run", "--format", "json", cwd=place)
    judged, evaluated = (json.loads(text)["metrics"]["hit@10"][0] for text in (out, own))
    assert judged == pytest.approx(evaluated, abs=1e-9)


def test_recommend_prints_csv_for_a_new_sequence(place):
    out, _ = seqrec("recommend", "run", "--sequence", "1,2,3", "-k", 4, cwd=place)
    lines = out.strip().splitlines()
    assert lines[0] == "user_id,item_id,score,probability,rank"
    assert len(lines) == 5


def test_recommend_writes_parquet_for_known_users(place):
    seqrec("recommend", "run", "--data", "data", "--out", "known.parquet", "-k", 3, cwd=place)
    frame = pd.read_parquet(place / "known.parquet")
    assert frame.user_id.nunique() == 200


def test_a_finished_run_is_not_trained_over(place):
    _, said = seqrec("train", "data", "--out", "run", "--model", "lstm", "--task", "next_item",
                     *QUICK, cwd=place, code=5)  # fmt: skip
    assert "run" in said


def test_print_config_shows_every_option_with_its_origin(place):
    out, _ = seqrec("train", "data", "--out", "other", "--model", "bert4rec", "--task", "next_item",
                    "--print-config", "--set", "cloze.mask_prob=0.3", cwd=place)  # fmt: skip
    assert "mask_prob = 0.3" in out
    assert "# --set" in out
    assert not (place / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["prepare", "missing.csv", "--out", "x"], 3, "missing.csv"),
        (["train", "nowhere", "--out", "x", "--model", "lstm", "--task", "relevance"], 3, "nowh"),
        (["train", "data", "--out", "x", "--model", "lstm", "--task", "next_item",
          "--set", "training.lrr=1"], 2, "did you mean `lr`"),
        (["train", "data", "--out", "x", "--task", "next_item"], 2, "`model` is missing"),
        (["evaluate", "data", "--run", "data"], 4, "data"),
        (["evaluate", "data"], 2, "--run or --predictions"),
        (["recommend", "run", "--sequence", "a,b"], 3, "'a' is no integer"),
        (["train", "data", "--oops"], 2, "No such option"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_a_code(place, arguments, code, said):
    _, stderr = seqrec(*arguments, cwd=place, code=code)
    assert said in stderr


def test_compare_skips_finished_cells_and_prints_paired_differences(place):
    arguments = ["compare", "run", "data", "--out", "cells", "--part", "valid", "--model", "lstm",
                 "--task", "next_item", *QUICK[:4], "--set", "training.epochs=1"]  # fmt: skip
    out, _ = seqrec(*arguments, cwd=place)
    assert "lstm - popularity" in out
    began = (place / "cells/data/next_item/lstm/log.jsonl").stat().st_mtime_ns
    again, _ = seqrec(*arguments, cwd=place)
    assert again == out
    assert (place / "cells/data/next_item/lstm/log.jsonl").stat().st_mtime_ns == began
    assert (place / "cells/comparison.json").exists()


def test_the_study_is_printed_as_other_data():
    out, _ = seqrec("compare", "study", cwd=Path.cwd())
    assert "0.912" in out
    assert "protocol unstated" in out


def test_help_answers_at_once_and_lists_every_verb(tmp_path):
    seqrec("--help", cwd=tmp_path)  # once before timing, so that files are in memory
    began = time.perf_counter()
    out, _ = seqrec("--help", cwd=tmp_path)
    took = time.perf_counter() - began
    for verb in ("data", "prepare", "audit", "train", "evaluate", "recommend", "compare", "doctor"):
        assert verb in out
    assert took < 2.0, f"--help took {took:.2f} s: something heavy is imported"


def test_help_imports_nothing_heavy():
    code = (
        "import sys, seqrec.cli; heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'scipy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
