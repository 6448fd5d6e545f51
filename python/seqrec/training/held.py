"""A value that threads set for as long as they need it, though there is one for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from seqrec.threads import ProcessLock

_lock = ProcessLock(threading.Lock)
_holders: dict[tuple[int, str], tuple[int, Any]] = {}  # how many hold it, and what it was before


@contextmanager
def held(
    owner: object, name: str, value: Any, *, assign: Callable[[Any], object] | None = None
) -> Iterator[None]:
    """Within it `owner.name` is `value`: the first to come sets it, the last to leave puts it back.

    Were each to put back what it has found, one thread would take it from another that still
    needs it, and the value of before would be lost.

    Args:
        owner: what has the value.
        name: of its attribute.
        value: the same for all who hold it.
        assign: sets the attribute, where `setattr` is not the way.
    """
    key, assign = (id(owner), name), assign or partial(setattr, owner, name)
    with _lock():
        holders, before = _holders.get(key) or (0, getattr(owner, name))
        if before != value and not holders:
            assign(value)
        _holders[key] = (holders + 1, before)
    try:
        yield
    finally:
        with _lock():
            holders, before = _holders.pop(key)
            if holders > 1:
                _holders[key] = (holders - 1, before)
            elif before != value:
                assign(before)
