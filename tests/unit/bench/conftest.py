"""A tiny problem, once for all tests of benchmarks."""

from __future__ import annotations

import pytest

from seqrec.bench import scores
from seqrec.bench.shapes import Problem, Sizes, simulated


@pytest.fixture(scope="session")
def few_steps() -> Problem:
    """An epoch of three steps, in one thread: torch's threads wait for each other by spinning."""
    return simulated("tiny", Sizes(batch_size=150, threads=1))


@pytest.fixture(autouse=True)
def _small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores "from RAM" need not be larger than the caches of a real processor."""
    monkeypatch.setattr(scores, "L3_BYTES", 1 << 20)


@pytest.fixture(scope="session")
def tiny() -> Problem:
    return simulated("tiny", Sizes(batch_size=32, threads=2))
