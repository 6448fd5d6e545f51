"""The document that benchmarks leave behind."""

from __future__ import annotations

import json

import pytest

from seqrec.bench import Results, Row, machine, read_results, write_results
from seqrec.errors import DataError


def row(contender, rate, case=""):
    return Row(
        job="cloze", shape="ml1m", case=case, contender=contender, version="1", threads=2,
        rate=rate, unit="batches/s",
    )  # fmt: skip


RESULTS = Results(
    date="2026-11-24T15:00:00+00:00",
    machine={"cpu": "a processor"},
    rows=[row("seqrec", 50.0), row("numba", 20.0), row("numba", 10.0, "other"), row("x", None)],
)


def test_what_is_written_is_read(tmp_path):
    write_results(tmp_path / "a.json", RESULTS)
    assert read_results([tmp_path / "a.json"]) == [RESULTS]


def test_a_ratio_is_to_seqrec_in_the_same_group():
    assert [RESULTS.ratio(r) for r in RESULTS.rows] == [1.0, 2.5, None, None]


def test_an_unknown_key_is_named_with_its_place(tmp_path):
    write_results(tmp_path / "a.json", RESULTS)
    document = json.loads((tmp_path / "a.json").read_text())
    document["rows"][1]["speed"] = 3
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"a\.json: unknown option `rows\[1\]\.speed`"):
        read_results([tmp_path / "a.json"])


def test_another_document_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match="no document of 'seqrec bench'"):
        read_results([tmp_path / "a.json"])


def test_the_machine_is_described_in_plain_values():
    found = machine.describe()
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["seqrec"]
