"""`seqrec tune` from the outside: what it prints and writes, alone and beside another process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tomllib

import pytest

from seqrec import cli
from seqrec.batches import Plan
from seqrec.experiment import resolve
from seqrec.tuning import default_space

PROGRAM = [sys.executable, "-c", "from seqrec.cli import main; main()"]
SPACE = """
[training]
lr = {low = 1e-4, high = 1e-1, log = true}
[lstm]
hidden_size = {choices = [8, 16]}
"""
SHORT = ["--set", "training.epochs=1", "--set", "windows.max_seq_len=10", "--set",
         "training.device=cpu", "--set", "training.threads=1", "--set", "lstm.embedding_dim=8",
         "--set", "lstm.hidden_size=16", "--set", "start.item_vectors=random"]  # fmt: skip
TUNE = ["tune", "data", "--model", "lstm", "--task", "next_item", "--space", "space.toml", *SHORT]


def seqrec(*arguments, cwd, code=0):
    """Runs the command line in the folder `cwd` and returns (stdout, stderr)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = cli.run([str(argument) for argument in arguments])
    assert ended == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a prepared data set, a space, and a search of three trials."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "space.toml").write_text(SPACE)
    seqrec("data", "simulate", "--users", 60, "--items", 30, "--mean-length", 8,
           "--out", "log.parquet", cwd=folder)  # fmt: skip
    seqrec("prepare", "log.parquet", "--out", "data", cwd=folder)
    seqrec(*TUNE, "--out", "search", "--trials", 3, cwd=folder)
    return folder


def test_finished_search_prints_its_table_and_what_to_do_next(place):
    out, err = seqrec(*TUNE, "--out", "search", "--trials", 3, cwd=place)
    assert err == ""
    assert "trials: 3 completed" in out
    assert "next: seqrec train data --recipe search/best.toml --out run" in out


def test_what_to_do_next_cuts_as_the_search_did(place):
    first, last = json.loads(seqrec("audit", "data", "--json", cwd=place)[0])["times"]
    cuts = [(first + last) // 2, (first + last) // 2 + 10 * 86_400]
    by_time = f"--split global_time --cuts {cuts[0]} {cuts[1]}"
    out, _ = seqrec(*TUNE, *by_time.split(), "--out", "by-time", "--trials", 1, cwd=place)
    assert f"next: seqrec train data {by_time} --recipe by-time/best.toml --out run" in out
    recipe = (place / "by-time" / "best.toml").read_text()
    assert f"# To be trained with {by_time}.\n" in recipe


def test_recipe_of_the_best_trial_has_no_budget(place):
    recipe = tomllib.loads((place / "search" / "best.toml").read_text())
    assert resolve({"recipe": recipe})[0].windows.max_seq_len == 10
    assert "epochs" not in recipe["training"]


def test_table_comes_as_json_too(place):
    out, _ = seqrec(*TUNE, "--out", "search", "--trials", 3, "--format", "json", cwd=place)
    assert len(json.loads(out)["trials"]) == 3


def test_printed_space_is_a_space(place):
    cell = ["tune", "data", "--out", "other", "--model", "bert4rec", "--task", "relevance"]
    out, _ = seqrec(*cell, "--print-space", cwd=place)
    assert tomllib.loads(out) == tomllib.loads(default_space("bert4rec", "relevance"))
    assert not (place / "other").exists()


def test_wrong_space_is_an_error_of_options(place):
    (place / "wrong.toml").write_text("[lstm]\nhiden_size = {low = 1, high = 2}\n")
    _, err = seqrec(*TUNE, "--space", "wrong.toml", "--out", "other", cwd=place, code=2)
    assert "did you mean `hidden_size`" in err


def test_stopped_search_exits_with_the_code_of_its_signal_and_goes_on(place, monkeypatch):
    share, sent = Plan.share, []

    def signalled(*arguments):
        if not sent:
            sent.append(os.kill(os.getpid(), signal.SIGINT))
        return share(*arguments)

    monkeypatch.setattr(Plan, "share", signalled)
    command = [*TUNE, "--out", "stopped", "--trials", 1]
    _, said = seqrec(*command, cwd=place, code=130)
    assert "stopped by SIGINT in trial 0; begin the search again to go on" in said
    out, _ = seqrec(*command, cwd=place)
    assert "trials: 1 completed" in out


def test_two_processes_divide_the_trials_of_a_search(place):
    command = [*PROGRAM, *TUNE, "--out", "shared", "--trials", "4"]
    options = {"cwd": place, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    ended = sorted(line.split("/")[0] for text in said for line in text.splitlines())
    assert ended == ["[1", "[2", "[3", "[4"]
