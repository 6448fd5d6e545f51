"""docs/options.md says what the config classes say."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docs" / "options.py"


@pytest.fixture(scope="module")
def options():
    spec = spec_from_file_location("options", SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(options):
    said = "docs/options.md is not what the config classes say: python docs/options.py writes it"
    text = options.PAGE.read_text(encoding="utf-8")
    assert text == options.page(text), said


def test_a_default_that_depends_on_the_cell_names_the_cells(options):
    assert "| `embedding_dim` | `128`; `256` for lstm on next_item |" in options.section("lstm")
    assert "| `epochs` | `20`; `10` for relevance |" in options.section("training")
