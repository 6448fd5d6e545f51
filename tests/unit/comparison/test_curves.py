"""Curves say when a run was how good, from its log alone."""

from __future__ import annotations

import json
import re

import pytest

from seqrec.cli import run as cli
from seqrec.comparison.curves import curves_table, plot_curves, read_curve
from seqrec.errors import ConfigError, DataError


def validation(epoch, **metrics):
    return {
        "kind": "validation",
        "step": 10 * epoch,
        "epoch": epoch,
        **metrics,
        "seconds": 90 * epoch,
    }


@pytest.fixture
def write(tmp_path):
    def to(name, *lines):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        return tmp_path / name

    return to


@pytest.fixture
def run(write):
    values = (0.10, 0.16, None, 0.15)
    lines = [
        validation(epoch, **{"hit@10": 0.3, "ndcg@10": value, "logloss": 1 / epoch})
        for epoch, value in enumerate(values, start=1)
    ]
    return write("run", {"kind": "train", "step": 5, "loss": 7.0}, *lines)


def test_the_best_is_the_highest_and_a_nan_is_not(run):
    curve = read_curve(run)
    assert (curve.metric, curve.epochs, curve.best()) == ("ndcg@10", [1, 2, 3, 4], 1)
    assert curve.minutes == [1.5, 3.0, 4.5, 6.0]


def test_of_a_loss_the_best_is_the_lowest(run):
    curve = read_curve(run, "logloss")
    assert curve.best() == 3
    assert curve.minutes_to(0.5) == 3.0


def test_a_mark_is_reached_at_the_first_validation_that_is_as_good(run):
    curve = read_curve(run)
    assert curve.minutes_to(0.12) == 3.0
    assert curve.minutes_to(0.16) == 3.0
    assert curve.minutes_to(0.17) is None


def test_relevance_is_told_by_its_accuracy(write):
    assert read_curve(write("r", validation(1, accuracy=0.8, auc=0.9))).metric == "accuracy"


def test_the_table_names_marks_and_says_never(run):
    text = curves_table([read_curve(run)], {"near": 0.12, "far": 0.2})
    header, _, row = text.splitlines()
    assert header.endswith("minutes to near (0.12)  minutes to far (0.2)")
    assert row.split()[1:] == ["ndcg@10", "0.1600", "2", "3.0", "3.0", "never"]
    (plain,) = json.loads(curves_table([read_curve(run, "logloss")], {"half": 0.5}, "json"))
    assert plain["minutes_to"] == {"half": 3.0}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_they_are_drawn(run, tmp_path, suffix):
    plot_curves([read_curve(run)], {"published": 0.17}, tmp_path / f"curves.{suffix}")
    drawn = (tmp_path / f"curves.{suffix}").read_bytes()
    assert drawn.startswith(b"\x89PNG") if suffix == "png" else b"published: 0.17" in drawn


def test_names_are_drawn_as_they_are(write, tmp_path):
    curves = [read_curve(write(name, validation(1, accuracy=0.5))) for name in ("a$b_$c^", "_run")]
    figure = tmp_path / "curves.svg"
    plot_curves(curves, {"half$_": 0.5}, figure)
    texts = re.findall("<!-- (.*) -->", figure.read_text())
    assert {"half$_: 0.5", *(curve.run for curve in curves)} <= set(texts)


def test_another_ending_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match=r"curves\.gif.*must be a file that ends in"):
        plot_curves([read_curve(run)], {}, tmp_path / "curves.gif")


def test_what_cannot_be_read_is_named(write, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nowhere.log\.jsonl"):
        read_curve(tmp_path / "nowhere")
    with pytest.raises(DataError, match="new: nothing was validated yet"):
        read_curve(write("new", {"kind": "train", "step": 1}))
    with pytest.raises(DataError, match="no mrr@5 was measured, but hit@10"):
        read_curve(write("other", validation(1, **{"hit@10": 0.1})), "mrr@5")
    broken = write("broken", validation(1, accuracy=0.5))
    with (broken / "log.jsonl").open("a") as log:
        log.write("{half a line\n")
    with pytest.raises(DataError, match="line 2 is no line of a training log"):
        read_curve(broken)
    (broken / "log.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"log\.jsonl is no UTF-8"):
        read_curve(broken)
    lacking = {k: v for k, v in validation(1, accuracy=0.5).items() if k != "epoch"}
    with pytest.raises(DataError, match=r"a validation lacks .*'epoch'"):
        read_curve(write("lacking", lacking))


def test_a_line_that_a_killed_writer_began_is_no_line_yet(write):
    torn = write("torn", validation(1, accuracy=0.5))
    with (torn / "log.jsonl").open("a") as log:
        log.write('{"kind": "valid')
    assert read_curve(torn).values == [0.5]


def test_the_command_prints_and_draws(run, tmp_path, capsys):
    out = tmp_path / "curves.png"
    assert cli(["curves", str(run), "--mark", "GRU4Rec, published=0.15", "-o", str(out)]) == 0
    assert "minutes to GRU4Rec, published (0.15)" in capsys.readouterr().out
    assert out.stat().st_size > 0
    assert cli(["curves", str(run), "--mark", "0.15"]) == 2
    assert "it must be NAME=VALUE" in capsys.readouterr().err
    assert cli(["curves", str(run), "--mark", "x=nan"]) == 2
    assert "it must be NAME=VALUE" in capsys.readouterr().err
    assert cli(["curves", str(run), "--mark", "x=0.1", "--mark", "x=0.2"]) == 2
    assert "is 'x=0.2': it must be another name: 'x' is there" in capsys.readouterr().err
