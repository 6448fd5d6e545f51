"""A tiny problem, once for all tests of benchmarks."""

from __future__ import annotations

import pytest

from seqrec.bench.shapes import Problem, Sizes, simulated


@pytest.fixture(scope="session")
def tiny() -> Problem:
    return simulated("tiny", Sizes(batch_size=32, threads=2))
