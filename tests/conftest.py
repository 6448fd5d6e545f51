"""What all tests share: hypothesis profiles, and where the real data lies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("release", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> None:
    """A shell that starts the tests in the background ignores SIGINT on their behalf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def hangups_are_heard() -> Iterator[None]:
    """`nohup` has SIGHUP ignored, in the tests and in what they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def no_thread_starts(monkeypatch) -> None:
    """What a limit on processes does, for want of one that a test can set: root has none."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real interaction data; without it the test is skipped, and says so."""
    folder = os.environ.get("SEQREC_DATA")
    if not folder:
        pytest.skip("SEQREC_DATA is not set: this test needs the real interaction data")
    if not Path(folder).is_dir():
        pytest.fail(f"SEQREC_DATA is {folder!r}, which is no folder")
    return Path(folder)
