"""A value that threads set for as long as they need it, though there is one for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_holders: dict[tuple[int, str], tuple[int, Any]] = {}  # how many hold it, and what it was before


@contextmanager
def held(
    owner: object,
    name: str,
    value: Any,
    *,
    assign: Callable[[Any, str, Any], object] = setattr,
) -> Iterator[None]:
    """Within it `owner.name` is `value`: the first to come sets it, the last to leave puts it back.

    Were each to put back what it has found, one thread would take it from another that still
    needs it, and the value of before would be lost.
    """
    key = (id(owner), name)
    with _lock:
        holders, before = _holders.get(key) or (0, getattr(owner, name))
        if before != value and not holders:
            assign(owner, name, value)
        _holders[key] = (holders + 1, before)
    try:
        yield
    finally:
        with _lock:
            holders, before = _holders.pop(key)
            if holders > 1:
                _holders[key] = (holders - 1, before)
            elif before != value:
                assign(owner, name, before)
