from __future__ import annotations

import pytest

import tiny_data


@pytest.fixture(scope="session")
def split():
    return tiny_data.tiny_split()
