"""One thread that fills buffers ahead of their consumer, and a ring that keeps it behind it.

A buffer goes round: free -> filled by the thread -> handed out -> released by the consumer -> free.
The thread holds no reference to the object that the consumer iterates, so that dropping that
object, or leaving the process, stops the thread.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

from seqrec.batches.buffers import Buffers
from seqrec.errors import ResourceError, named_refused_thread

T = TypeVar("T")

# One is with the consumer, one is ready, one is being filled.
RING = 3


class Prefetch(Generic[T]):
    """Steps filled ahead, in order.

    Args:
        fill: makes one step in the given buffers; runs in the thread.
        steps: which steps, in order.
        buffers: what goes round, RING of them; nobody else may write to them until `close`.

    Raises:
        ResourceError: if the system starts no thread.
    """

    def __init__(
        self,
        fill: Callable[[int, Buffers], T],
        steps: Iterable[int],
        buffers: Sequence[Buffers],
    ) -> None:
        self.wait_seconds = 0.0
        self._pid = os.getpid()
        self._free: SimpleQueue[Buffers | None] = SimpleQueue()
        self._filled: SimpleQueue[tuple[T, Buffers] | BaseException | None] = SimpleQueue()
        for one in buffers:
            self._free.put(one)
        stopped = threading.Event()
        self._thread = threading.Thread(
            target=_work,
            args=(fill, steps, self._free, self._filled, stopped),
            name="seqrec-prefetch",
            daemon=True,
        )
        # Runs at the latest when the interpreter leaves, before it pulls the ground from under us.
        self._stop = weakref.finalize(self, _stop, stopped, self._free, self._thread)
        with named_refused_thread():
            self._thread.start()

    def get(self) -> tuple[T, Buffers] | None:
        """The next step and the buffers it lies in; None after the last.

        Raises:
            ResourceError: in a process forked since, which has no thread to wait for.
            Exception: whatever `fill` raised.
        """
        if os.getpid() != self._pid:
            raise ResourceError(
                "this epoch was begun before a fork: begin it again in the child process"
            )
        asked = time.perf_counter()
        filled = self._filled.get()
        self.wait_seconds += time.perf_counter() - asked
        if isinstance(filled, BaseException):
            raise filled
        return filled

    def release(self, buffers: Buffers) -> None:
        """Says that what lies in `buffers` is no longer read."""
        self._free.put(buffers)

    def close(self) -> bool:
        """Stops the thread and waits for it; may be called twice.

        Returns:
            Whether the buffers are free. They are not if the garbage collector has this called in
            the middle of a step, by the thread itself; nor in a process forked since, where that
            thread was lost in the midst of filling one.
        """
        self._stop()
        return os.getpid() == self._pid and not self._thread.is_alive()


def _work(
    fill: Callable[[int, Buffers], T],
    steps: Iterable[int],
    free: SimpleQueue[Buffers | None],
    filled: SimpleQueue[tuple[T, Buffers] | BaseException | None],
    stopped: threading.Event,
) -> None:
    try:
        for step in steps:
            buffers = free.get()
            if buffers is None or stopped.is_set():
                return
            buffers.wait()
            filled.put((fill(step, buffers), buffers))
        filled.put(None)
    except BaseException as error:
        # Everything goes to the consumer, who would wait forever otherwise.
        filled.put(error)


def _stop(
    stopped: threading.Event, free: SimpleQueue[Buffers | None], thread: threading.Thread
) -> None:
    stopped.set()
    free.put(None)
    # The garbage collector may run this in the thread itself, which then ends by the event; and a
    # thread that the system refused has not begun.
    if thread.is_alive() and thread is not threading.current_thread():
        thread.join()
