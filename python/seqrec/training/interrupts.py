"""SIGINT, SIGTERM and SIGHUP as a request that the loop answers between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from seqrec.errors import InterruptedRunError

_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED = 128  # what the exit code of a signal has above its number


class Interrupts:
    """Within it a first SIGINT, SIGTERM or SIGHUP is only noted; a second SIGINT stops at once.

    Handlers can only be set in the main thread: elsewhere signals keep their meaning. A signal that
    is ignored, as in a background job or under nohup, stays ignored.

    Attributes:
        requested: the exit code of the signal that came, else 0.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _HEARD:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within it a signal raises InterruptedRunError: for long work that changes nothing."""
        self._at_once = True
        try:
            if self.requested:
                raise interrupted(self.requested)
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        code = _ENDED + number
        again = number == signal.SIGINT and self.requested == code
        self.requested = code
        if again:
            raise KeyboardInterrupt
        if self._at_once:
            raise interrupted(code)


def interrupted(code: int, then: str = "; resume to go on") -> InterruptedRunError:
    """The error of a signal's exit code; `then` says where it ended what, and how to go on."""
    came = signal.Signals(code - _ENDED)
    return InterruptedRunError(f"stopped by {came.name}{then}", signal_number=came)
