"""The folder of a search: damage is named, and what is no search is left as it is."""

from __future__ import annotations

import json

import pytest

from seqrec.errors import CheckpointError, ResourceError
from unit.tuning.toy_search import ToyRuns, toy_search


def test_torn_last_line_of_the_journal_is_dropped(search, tmp_path):
    search(ToyRuns([0.3]))
    with (tmp_path / "search" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    assert len(search(ToyRuns([0.4]), trials=2).trials) == 2


def test_damaged_journal_is_named(search, tmp_path):
    search(ToyRuns([0.3]))
    (tmp_path / "search" / "journal.jsonl").write_text("no journal\nat all\n")
    with pytest.raises(CheckpointError, match=r"journal\.jsonl is no journal"):
        search(ToyRuns([0.4]), trials=2)


def test_journal_with_a_damaged_line_is_named(search, tmp_path):
    search(ToyRuns([0.3]))
    with (tmp_path / "search" / "journal.jsonl").open("a") as journal:
        journal.write("garbage\n")
    with pytest.raises(CheckpointError, match=r"journal\.jsonl is"):
        search(ToyRuns([0.4]), trials=2)


def test_study_that_is_no_table_is_named(search, tmp_path):
    search(ToyRuns([0.3]))
    (tmp_path / "search" / "study.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"study\.json describes no search"):
        search(ToyRuns([0.4]), trials=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", "x"), ("status", "sleeping"), ("values", 3), ("curve", [{"step": 1}])],
)
def test_damaged_record_of_a_trial_is_named(search, tmp_path, field, value):
    search(ToyRuns([0.3]))
    record = tmp_path / "search" / "trials" / "0000" / "trial.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {field: value}))
    with pytest.raises(CheckpointError, match=r"0000/trial\.json is no record of a trial"):
        search(ToyRuns([0.4]), trials=2)


def test_record_of_an_endless_number_is_named(search, tmp_path):
    search(ToyRuns([0.3]))
    record = tmp_path / "search" / "trials" / "0000" / "trial.json"
    record.write_text(record.read_text().replace('"step": 10', '"step": 1e999'))
    with pytest.raises(CheckpointError, match="no record of a trial: OverflowError"):
        search(ToyRuns([0.4]), trials=2)


def test_record_without_the_metric_of_the_search_is_named(search, tmp_path):
    search(ToyRuns([0.3]))
    record = tmp_path / "search" / "trials" / "0000" / "trial.json"
    document = json.loads(record.read_text())
    del document["curve"][0]["metrics"]["ndcg@10"]
    record.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"no record of a trial: KeyError\('ndcg@10'\)"):
        search(ToyRuns([0.4]), trials=2)


@pytest.mark.parametrize("inside", [".", "search"])
def test_a_data_set_is_no_place_for_a_search(monkeypatch, split, tmp_path, inside):
    split.dataset.save(tmp_path / "data")
    before = sorted((tmp_path / "data").iterdir())
    with pytest.raises(ResourceError, match="can hold nothing else"):
        toy_search(monkeypatch, split, tmp_path / "data" / inside, ToyRuns([0.3]))
    assert sorted((tmp_path / "data").iterdir()) == before


def test_folder_of_another_search_is_refused(search):
    search(ToyRuns([0.3]))
    other = {"training": {"lr": {"low": 1e-3, "high": 1e-2}}}
    with pytest.raises(
        CheckpointError, match=r"space\.training\.lr\.low was 0\.0001 and is 0\.001"
    ):
        search(ToyRuns([0.3]), space=other)
    with pytest.raises(CheckpointError, match="seed was 0 and is 1"):
        search(ToyRuns([0.3]), seed=1)


def test_folder_of_something_else_is_refused(search, tmp_path):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "thesis.tex").touch()
    with pytest.raises(ResourceError, match=r"thesis\.tex"):
        search(ToyRuns([0.3]))
