from __future__ import annotations

import pytest

import tiny_data
from unit.tuning.toy_search import toy_search


@pytest.fixture(scope="session")
def split():
    return tiny_data.tiny_split()


@pytest.fixture
def search(monkeypatch, split, tmp_path):
    """(curves of the runs, options) -> the search in `tmp_path / "search"`."""
    return lambda runs, **options: toy_search(
        monkeypatch, split, tmp_path / "search", runs, **options
    )
