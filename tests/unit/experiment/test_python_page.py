"""The code of docs/python.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seqrec import simulation

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = simulation.preset("demo", users=200, items=60)
    simulation.simulate(settings).to_pandas().to_parquet("log.parquet", index=False)
    names: dict = {"__name__": "page"}
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 9
    judged = names["judge_next_item"](names["lists"], names["split"], names["part"])
    assert judged.values()["ndcg@10"] == pytest.approx(names["value"], abs=1e-9)
    assert "ndcg@10" in capsys.readouterr().out
