"""A lock between the threads of a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

Lock = TypeVar("Lock")


class ProcessLock(Generic[Lock]):
    """Gives the lock of this process: `with lock():`.

    A forked child has one of its own: the thread of its parent that may have had the other one is
    not there to let it go.
    """

    def __init__(self, make: Callable[[], Lock]) -> None:
        self._make = make
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = self._make()

    def __call__(self) -> Lock:
        """The lock."""
        return self._lock
