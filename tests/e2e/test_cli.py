"""The command line from the outside: what it prints, writes and exits with.

Calls run in this process, since a new one spends its seconds on importing torch; what only a
process of its own can show is in test_process.py.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from seqrec import cli
from seqrec.batches import Plan
from seqrec.comparison.render import read_comparisons


def seqrec(*arguments, cwd, code=0):
    """Runs the command line in the folder `cwd` and returns (stdout, stderr)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = cli.run([str(argument) for argument in arguments])
    assert ended == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


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


def test_lists_made_from_whole_histories_are_doubted(place):
    seqrec("recommend", "run", "--data", "data", "-k", 10, "--out", "late.parquet", cwd=place)
    _, said = seqrec("evaluate", "data", "--predictions", "late.parquet", "--task", "next_item",
                     cwd=place)  # fmt: skip
    assert "no list holds its target" in said


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


def test_the_command_that_train_names_next_works(place):
    out, _ = seqrec("train", "data", "--out", "again", "--model", "lstm", "--task", "next_item",
                    *QUICK, cwd=place)  # fmt: skip
    program, *command = out.splitlines()[-1].removeprefix("next: ").split()
    assert program == "seqrec"
    assert "ndcg@10" in seqrec(*command, cwd=place)[0]


def test_recommend_prints_csv_for_a_new_sequence(place):
    out, _ = seqrec("recommend", "run", "--sequence", "1,2,3", "-k", 4, cwd=place)
    lines = out.strip().splitlines()
    assert lines[0] == "user_id,item_id,score,probability,rank"
    assert len(lines) == 5


def test_recommend_writes_parquet_for_known_users(place):
    seqrec("recommend", "run", "--data", "data", "--out", "known.parquet", "-k", 3, cwd=place)
    frame = pd.read_parquet(place / "known.parquet")
    assert frame.user_id.nunique() == 200


def test_recommend_writes_csv_where_the_name_says_so(place):
    command = ("recommend", "run", "--data", "data", "--user", "1", "-k", 3)
    printed, _ = seqrec(*command, cwd=place)
    seqrec(*command, "--out", "known.csv", cwd=place)
    written = pd.read_csv(place / "known.csv")
    pd.testing.assert_frame_equal(written, pd.read_csv(io.StringIO(printed)))


def test_a_table_of_another_format_is_refused_before_the_test_part_is_read(place):
    ledger = place / "run" / "ledger.jsonl"
    before = ledger.read_bytes() if ledger.exists() else b""
    command = ("evaluate", "data", "--run", "run", "--part", "test", "--per-user", "users.xlsx")
    _, said = seqrec(*command, cwd=place, code=2)
    assert "`--per-user` is 'users.xlsx'" in said
    assert (ledger.read_bytes() if ledger.exists() else b"") == before


def test_cuts_that_are_given_are_those_of_the_run(place):
    first, last = json.loads(seqrec("audit", "data", "--json", cwd=place)[0])["times"]
    cuts = [str(first + (last - first) * tenth // 10) for tenth in (6, 8)]
    by_time = ("--split", "global_time", "--cuts", *cuts)
    seqrec("train", "data", "--out", "cut", "--model", "lstm", "--task", "next_item", *QUICK,
           *by_time, cwd=place)  # fmt: skip
    report = json.loads(
        seqrec("evaluate", "data", "--run", "cut", "--format", "json", cwd=place)[0]
    )
    assert list(map(str, report["protocol"]["cuts"])) == cuts
    _, said = seqrec("evaluate", "data", "--run", "cut", *by_time[2:], cwd=place, code=2)
    assert "a run has its own" in said
    command = ("prepare", "log.parquet", "--out", "cut-data", *by_time)
    assert "--export" in seqrec(*command, cwd=place, code=2)[1]
    seqrec(*command, "--export", "cut-parts", cwd=place)
    assert json.loads((place / "cut-parts/protocol.json").read_text())["cuts"] == [*map(int, cuts)]
    command = ("train", "data", "--out", "x", "--model", "lstm", "--task", "next_item")
    assert "leave_one_out has none" in seqrec(*command, *by_time[2:], cwd=place, code=2)[1]


def test_a_finished_run_is_not_trained_over(place):
    _, said = seqrec("train", "data", "--out", "run", "--model", "lstm", "--task", "next_item",
                     *QUICK, cwd=place, code=5)  # fmt: skip
    assert "run" in said


TRAIN = ["train", "data", "--model", "lstm", "--task", "next_item", *QUICK]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_are_heard")
def test_a_stopped_training_is_saved_and_exits_with_the_code_of_its_signal(
    place, monkeypatch, number
):
    share, sent = Plan.share, []

    def signalled(*arguments):
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return share(*arguments)

    monkeypatch.setattr(Plan, "share", signalled)
    _, said = seqrec(*TRAIN, "--out", number.name, cwd=place, code=128 + number)
    assert f"stopped by {number.name}; resume to go on" in said
    for command in (TRAIN, TRAIN[:2]):  # its options need not be said again
        out, _ = seqrec(*command, "--out", number.name, "--resume", cwd=place)
        assert "status: completed" in out


def test_card_is_printed_or_written(place):
    out, _ = seqrec("card", "run", "--data", "data", cwd=place)
    assert out.startswith("# LSTM, next item, on data\n")
    seqrec("card", "run", "--data", "data", "--out", "card.md", cwd=place)
    assert (place / "card.md").read_text() == out


def test_overwriting_a_run_keeps_its_ledger(place):
    seqrec(*TRAIN, "--out", "over", cwd=place)
    seqrec("evaluate", "data", "--run", "over", "--part", "test", cwd=place)
    out, _ = seqrec(*TRAIN, "--out", "over", "--overwrite", cwd=place)
    assert "test readings: 1" in out


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
        (["evaluate", "data", "--predictions", "nowhere.parquet", "--task", "next_item"], 3,
         "nowhere.parquet: there is no such file"),
        (["evaluate", "data"], 2, "--run or --predictions"),
        (["evaluate", "data", "--run", "run", "--task", "next_item"], 2,
         "--task, --split and --cuts go"),
        (["train", "data", "--out", "run", "--model", "lstm", "--task", "next_item", "--resume",
          "--overwrite"], 2, "not both"),
        (["compare", "run", "data", "data", "--out", "cells"], 2, "folders of one name"),
        (["compare", "run", "data", "--recipes", "nowhere"], 2, "no folder of recipes nowhere"),
        (["recommend", "run", "--sequence", "a,b"], 3, "'a' is no integer"),
        (["recommend", "run", "--sequence", "1,2", "--user", "1"], 2, "--user goes with --data"),
        (["train", "data", "--oops"], 2, "No such option"),
        (["train", "data", "--out", "", "--model", "lstm"], 2,
         "is a variable of the shell not set?"),
        (["train", "data", "--out", "x", "--model", "lstm", "--task", "next_item",
          "--max-minutes", "inf"], 2, "`training.max_minutes` is inf: it must be a finite number"),
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
    began = (place / "cells/data/next_item/lstm/seed-0/log.jsonl").stat().st_mtime_ns
    again, _ = seqrec(*arguments, cwd=place)
    assert again == out
    inside = ["compare", "run", ".", "--out", "../cells", *arguments[5:]]
    assert seqrec(*inside, cwd=place / "data")[0] == out  # the folder has its name there, too
    assert (place / "cells/data/next_item/lstm/seed-0/log.jsonl").stat().st_mtime_ns == began
    assert (place / "cells/comparison.json").exists()


def test_compare_keeps_the_tables_of_its_last_command_alone_and_says_so(place):
    told, _ = seqrec("compare", "run", "--help", cwd=place)
    assert "comparison.md are the tables of this command alone" in " ".join(told.split())
    for task in ("next_item", "relevance"):
        seqrec("compare", "run", "data", "--out", "tables", "--part", "valid", "--model", "lstm",
               "--task", task, *QUICK[:4], "--set", "training.epochs=1", cwd=place)  # fmt: skip
    kept = read_comparisons(place / "tables" / "comparison.json")
    assert [comparison.task for comparison in kept] == ["relevance"]
    assert (place / "tables" / "data" / "next_item" / "lstm" / "seed-0").is_dir()


def test_compare_says_which_recipe_a_cell_has(place):
    (place / "recipes").mkdir()
    (place / "recipes" / "data-lstm-next_item.toml").write_text("[windows]\nmax_seq_len = 20\n")
    _, said = seqrec("compare", "run", "data", "--out", "said", "--recipes", "recipes",
                     "--part", "valid", "--task", "next_item", "--set", "training.epochs=1",
                     "--set", "training.device=cpu", cwd=place)  # fmt: skip
    assert said.splitlines()[:2] == [
        "data next_item lstm: recipe recipes/data-lstm-next_item.toml",
        "data next_item bert4rec: defaults",
    ]


def test_the_study_is_printed_as_other_data():
    out, _ = seqrec("compare", "study", cwd=Path.cwd())
    assert "0.912" in out
    assert "protocol unstated" in out


def test_help_lists_every_verb(tmp_path):
    out, _ = seqrec("--help", cwd=tmp_path)
    for verb in ("data", "prepare", "audit", "train", "evaluate", "recommend", "compare", "doctor"):
        assert verb in out


def test_what_would_be_refused_after_the_log_is_refused_before(place, tmp_path):
    for arguments, said in (
        (["--out", "data"], "overwrite it"),
        (["--out", "new", "--export", "data"], "exists already"),
        (["--out", "new", "--export", "new/parts"], "lies inside --out new"),
        (["--out", "new/data", "--export", "new"], "lies inside --export new"),
        (["--out", "data/new"], "which is a seqrec data set and can hold nothing else"),
        (["--out", "new", "--split", "global_time"], "--split and --cuts cut what --export writes"),
    ):
        code = 2 if "lies" in said or "cuts" in said else 5
        _, err = seqrec("prepare", "no-such-log.parquet", *arguments, cwd=place, code=code)
        assert said in err
    assert not (place / "new").exists()


def test_a_run_inside_its_data_is_refused_and_the_data_stay_readable(place):
    _, err = seqrec("train", "data", "--out", "data/run", "--model", "lstm", "--task", "next_item",
                    *QUICK, cwd=place, code=5)  # fmt: skip
    assert "would lie inside" in err
    seqrec("audit", "data", cwd=place)


def test_a_user_with_every_item_stops_a_comparison_before_it_trains(tmp_path):
    rows = [("all", item) for item in range(6)] + [("b", i) for i in (0, 2, 4)]
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(tmp_path / "log.csv", index=False)
    seqrec("prepare", "log.csv", "--out", "data", cwd=tmp_path)
    _, err = seqrec("compare", "run", "data", "--out", "cells", *QUICK[:4], cwd=tmp_path, code=3)
    assert "user 'all' has taken all 6 items" in err
    assert not (tmp_path / "cells").exists()


def test_a_command_that_is_proposed_can_be_pasted(place):
    out, _ = seqrec("train", "data", "--out", "my run", "--model", "lstm", "--task", "next_item",
                    *QUICK, cwd=place)  # fmt: skip
    assert "next: seqrec evaluate data --run 'my run' --part test" in out


def test_resuming_nothing_is_said(place):
    asked = ["train", "data", "--out", "new-run", "--model", "lstm", "--task", "next_item"]
    _, err = seqrec(*asked, *QUICK, "--resume", cwd=place)
    assert "new-run holds no state to go on from: training begins anew" in err
    _, err = seqrec(*asked, *QUICK, "--resume", cwd=place)
    assert "begins anew" not in err
    _, err = seqrec("train", "data", "--out", "typo", "--resume", cwd=place, code=2)
    assert "typo holds no state to go on from: name the folder of a run" in err


def test_somebody_without_a_history_gets_a_list(place):
    out, _ = seqrec("recommend", "run", "--sequence", "", "-k", "2", cwd=place)
    assert len(out.splitlines()) == 3


def test_a_run_that_has_not_been_validated_yet_is_told_from_a_damaged_one(place):
    (place / "begun").mkdir()
    (place / "begun" / "log.jsonl").touch()  # what a run writes before its first validation
    for command in (
        ["evaluate", "data", "--run", "begun"],
        ["recommend", "begun", "--data", "data"],
    ):
        assert "begun holds no model yet" in seqrec(*command, cwd=place, code=4)[1]
