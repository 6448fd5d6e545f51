"""The documentation of the search says what holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from seqrec.tuning import read_space
from seqrec.tuning.search import BEST, STUDY
from seqrec.tuning.study import JOURNAL

PAGE = (Path(__file__).parents[3] / "docs" / "tuning.md").read_text(encoding="utf-8")


def test_space_of_the_page_is_one():
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    layers = {"recipe": {"model": "bert4rec", "task": "next_item"}}
    assert len(read_space(tomllib.loads(block), layers).dimensions) == 5


def test_files_of_the_page_are_those_of_the_folder():
    for name in (STUDY, JOURNAL, BEST):
        assert f"`{name}`" in PAGE
