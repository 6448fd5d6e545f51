"""Logs written out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from seqrec.data.interactions import Interactions

MakeLog = Callable[..., Interactions]


@pytest.fixture
def make_log() -> MakeLog:
    """Rows (user, item) or (user, item, time) become a log."""

    def make(*rows: tuple) -> Interactions:
        columns = list(zip(*rows, strict=True))
        names = ["user_id", "item_id", "timestamp"][: len(columns)]
        return Interactions.from_frame(pa.table(dict(zip(names, map(list, columns), strict=True))))

    return make
