"""Ids that come as text, on the command line or in a file, are those of the model or unknown."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow.parquet as pq
import pytest

import seqrec as sr
import tiny_data
from seqrec import cli


def model_of(items, folder):
    """An untrained model whose catalogue is `items`."""
    n = len(items)
    log = {"user_id": sorted([*range(n)] * 4), "item_id": [items[i % n] for i in range(4 * n)]}
    split = sr.Interactions.from_frame(pd.DataFrame(log)).split()
    config = tiny_data.tiny("lstm", training={"epochs": 0}, evaluation={"k": 3})
    sr.fit("lstm", split, config=config).save(folder)
    return folder


@pytest.fixture(scope="module")
def of_integers(tmp_path_factory):
    return model_of([-5, 1, 2, 3, 10], tmp_path_factory.mktemp("models") / "integers")


@pytest.fixture(scope="module")
def of_strings(tmp_path_factory):
    return model_of(["1", "2", "007", "B7"], tmp_path_factory.mktemp("models") / "strings")


@pytest.fixture
def recommend(capfd):
    """Recommends on the command line: (exit code, the frame that was printed or None, messages)."""

    def call(*arguments):
        code = cli.run(["recommend", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        frame = None if code else pd.read_csv(io.StringIO(out), dtype={"item_id": str})
        return code, frame, err

    return call


def log_of(folder, *items):
    lines = [f"u{place % 2},{item},{place}" for place, item in enumerate(items)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines, ""]))
    return folder / "log.csv"


@pytest.mark.parametrize("items", [("1", "2"), ("1", "B7"), ("007", "2")])
def test_ids_of_a_file_are_text_where_those_of_the_model_are(
    items, of_strings, recommend, tmp_path
):
    code, frame, said = recommend(of_strings, "--sequences", log_of(tmp_path, *items), "-k", 9)
    assert (code, said) == (0, "")
    missing = {
        user: {"1", "2", "007", "B7"} - set(of_user.item_id)
        for user, of_user in frame.groupby("user_id")
    }
    assert missing == {"u0": {items[0]}, "u1": {items[1]}}


def test_texts_of_a_file_that_are_no_integers_are_unknown_to_a_model_of_integers(
    of_integers, recommend, tmp_path
):
    log = log_of(tmp_path, "-5", "new", "007", "1_0", "3", str(2**70), "99")
    code, frame, said = recommend(of_integers, "--sequences", log, "-k", 9)
    assert code == 0
    assert said.startswith("5 events with items that the model does not know were skipped")
    assert set(frame[frame.user_id == "u0"].item_id) == {"1", "2", "10"}  # -5 and 3 were seen
    assert len(frame[frame.user_id == "u1"]) == 5


def test_text_that_is_unknown_is_named_where_that_is_an_error(of_integers, recommend, tmp_path):
    log = log_of(tmp_path, "1", "new")
    code, _, said = recommend(of_integers, "--sequences", log, "--unknown", "error")
    assert code == 3
    assert (
        "log.csv: item 'new' of user 'u1' is unknown to the model, whose items are integers" in said
    )


def test_an_item_that_is_unknown_is_named_with_its_user(of_strings, recommend, tmp_path):
    log = log_of(tmp_path, "1", "2", "B7", "b7")
    code, _, said = recommend(of_strings, "--sequences", log, "--unknown", "error")
    assert code == 3
    assert "log.csv: item 'b7' of user 'u1' is unknown to the model\n" in said


def test_a_history_without_an_item_left_is_counted(of_strings, recommend):
    asked = ("--sequence", "1", "--sequence", "2", "--candidates", "1", "--filter-seen")
    code, frame, said = recommend(of_strings, *asked)
    assert (code, frame.user_id.tolist()) == (0, [1])
    assert said.startswith("1 histories get no item: all that may be recommended is excluded, or")


def test_integers_of_a_parquet_file_are_read_too(of_strings, recommend, tmp_path):
    pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2]}).to_parquet(tmp_path / "log.parquet")
    code, frame, said = recommend(of_strings, "--sequences", tmp_path / "log.parquet", "-k", 9)
    assert (code, said) == (0, "")
    assert set(frame.item_id) == {"007", "B7"}


@pytest.mark.parametrize("typed", ["--5", "²", "1_0", "+1", "01", "a", "", "1.0", "٣"])
def test_what_is_no_integer_is_named(typed, of_integers, recommend):
    code, _, said = recommend(of_integers, f"--sequence={typed},1")
    assert code == 3
    assert f"id {typed!r} is no integer, as all ids here are" in said


def test_spaces_around_a_typed_integer_are_left_out(of_integers, recommend):
    code, frame, _ = recommend(of_integers, "--sequence= -5, 3", "-k", 9)
    assert code == 0
    assert set(frame.item_id) == {"1", "2", "10"}


@pytest.mark.parametrize("sources", [[], ["--sequence", "1"], ["--sequences", "log.csv"]])
def test_a_user_needs_the_data_set(sources, of_integers, recommend):
    code, _, said = recommend(of_integers, *sources, "--user", "42")
    assert code == 2
    assert "--user goes with --data" in said


@pytest.mark.parametrize("option", ["--sequence", "--exclude", "--candidates"])
def test_bytes_that_are_no_text_are_named(option, of_strings, of_integers, recommend):
    for model in (of_strings, of_integers):
        code, _, said = recommend(model, "--sequence=1", f"{option}=\udcff")
        assert code == 3
        assert r"id '\udcff' is not UTF-8" in said


def test_a_list_without_items_keeps_the_types_of_its_columns(of_strings, recommend, tmp_path):
    written = []
    for k, sequence in enumerate(["1,2,007,B7", "1"]):
        path = tmp_path / f"{k}.parquet"
        asked = (of_strings, "--sequence", sequence, "--filter-seen", "--out", path)
        assert recommend(*asked, "--exclude", "1", "--exclude", "2")[0] == 0
        written.append(pq.read_table(path))
    nobody, somebody = written
    assert (len(nobody), len(somebody)) == (0, 2)
    assert nobody.schema.types == somebody.schema.types


def test_columns_of_the_file_can_be_named(of_integers, recommend, tmp_path):
    (tmp_path / "clicks.csv").write_text("visitor,sku,at\nu0,2,9\nu0,1,5\n")
    options = ["--user-col", "visitor", "--item-col", "sku", "--time-col", "at"]
    code, named, _ = recommend(of_integers, "--sequences", tmp_path / "clicks.csv", *options)
    assert code == 0
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu0,2,9\nu0,1,5\n")
    _, usual, _ = recommend(of_integers, "--sequences", tmp_path / "log.csv")
    pd.testing.assert_frame_equal(named, usual)
    options[-1] = ""
    code, in_order, _ = recommend(of_integers, "--sequences", tmp_path / "clicks.csv", *options)
    assert code == 0
    assert in_order.score.tolist() != usual.score.tolist()


@pytest.mark.parametrize("option", ["--user-col", "--item-col", "--time-col"])
def test_columns_are_those_of_a_file(option, of_integers, recommend):
    code, _, said = recommend(of_integers, "--sequence", "1,2", option, "x")
    assert code == 2
    assert "name the columns of --sequences" in said
