"""From a raw log in memory to sequences: offsets and items user by user, oldest first.

The log has three columns, user, item and time, in the form that each library likes best. Ids are
dense or sparse 64-bit integers, or strings; rows come in the order of time, or shuffled; many
events of a user share a time, and those keep their order. What comes out are offsets int64 [U + 1],
item codes [E], and the raw ids of users and items. Codes may start from 0 or 1, where PAD is 0, and
stand for ids in any order: seqrec's follow the ids, as its protocol asks; most others' follow the
first appearance, which is less work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqrec.bench import jit
from seqrec.bench.contender import Contender, Job, Lineup, Work
from seqrec.bench.faults import equal_fault
from seqrec.bench.hashing import codes_of_integers, order_by_user
from seqrec.bench.machine import installed
from seqrec.bench.shapes import Problem
from seqrec.data import Interactions

ORDERS = ("time-ordered", "shuffled")
IDS = ("dense", "sparse", "string")
_SPREAD, _BITS = 0x9E3779B97F4A7C15, (1 << 61) - 1  # times an odd number, modulo 2^61: no two alike

# offsets [U + 1], codes [E], raw user ids [U], raw item ids [N]
Made = tuple[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """A raw log.

    Attributes:
        users: raw ids, int64 or an Arrow array of strings.
        items: likewise.
        times: int64 [E].
        case: which order and which ids.
        threads: how many a contender may use.
    """

    users: Any
    items: Any
    times: NDArray[np.int64]
    case: str
    threads: int

    @property
    def is_text(self) -> bool:
        """Whether the ids are strings."""
        return not isinstance(self.users, np.ndarray)

    def arrow(self) -> Any:
        """The log as an Arrow table, with the names that `Interactions` expects."""
        return pa.table({"user_id": self.users, "item_id": self.items, "timestamp": self.times})


Make = Callable[[Log], Callable[[int], Made]]


def ingest(problem: Problem) -> Iterator[Job]:
    """Rows a second, in millions."""
    for log in logs(problem):
        lineup = Lineup(ours(log))
        lineup.made.append(_contender("seqrec, prepare", "seqrec", _seqrec_prepare, log))
        for name, package, why_not, make in _OTHERS:
            lineup.add(name, why_not(log), partial(_contender, name, package, make, log))
        yield Job(
            name="ingest",
            case=log.case,
            unit="M rows/s",
            contenders=lineup.made,
            absent=lineup.absent,
            fault=_Fault(log),
            # Three columns read and one of int32 written: what no counting or sorting can avoid.
            work=Work(reads=24e6, writes=4e6, resident=24 * len(log.times)),
        )


def _contender(name: str, package: str, make: Make, log: Log) -> Contender:
    return Contender(name=name, call=make(log), package=package, units=len(log.times) / 1e6)


def logs(problem: Problem) -> Iterator[Log]:
    """The log of a problem in each order and with each kind of ids."""
    for order in ORDERS:
        for ids in IDS:
            yield log_of(problem, order, ids)


def log_of(problem: Problem, order: str, ids: str) -> Log:
    """The log of a problem in one of ORDERS, with one of IDS."""
    part = problem.sequences
    users, places = part.places()
    items, times = part.items[places].astype(np.int64), problem.times[places]
    if order == "shuffled":
        rows = np.random.default_rng(problem.sizes.seed).permutation(len(times))
    else:
        rows = np.argsort(times, kind="stable")
    return Log(
        users=_raw(users[rows], ids),
        items=_raw(items[rows], ids),
        times=times[rows],
        case=f"{order}, {ids} ids",
        threads=problem.sizes.threads,
    )


def _raw(codes: NDArray[np.int64], ids: str) -> Any:
    if ids == "dense":
        return codes + 1
    spread = ((codes + 1).astype(np.uint64) * np.uint64(_SPREAD) & np.uint64(_BITS)).astype(
        np.int64
    )
    if ids == "sparse":
        return spread
    distinct, places = np.unique(spread, return_inverse=True)
    names = pa.array([f"{name:x}" for name in distinct.tolist()], type=pa.large_string())
    return names.take(pa.array(places))


class _Fault:
    """Whether the sequences are those of the log, user by user."""

    def __init__(self, log: Log) -> None:
        user_ids, users = np.unique(_values(log.users), return_inverse=True)
        order = np.lexsort((log.times, users))
        self.users, self.items = users[order], _values(log.items)[order]
        self.user_ids = user_ids

    def __call__(self, contender: Contender) -> str | None:
        offsets, codes, user_ids, item_ids = contender.call(0)
        lengths, user_ids = np.diff(np.asarray(offsets, dtype=np.int64)), _values(user_ids)
        if len(lengths) != len(user_ids):
            return f"{len(lengths)} users, but {len(user_ids)} ids of users"
        if set(user_ids.tolist()) != set(self.user_ids.tolist()):
            return "the users are others than those of the log"
        users = np.repeat(np.searchsorted(self.user_ids, user_ids), lengths)
        codes = np.asarray(codes)
        items = _values(item_ids)[codes - codes.min()]  # each id is somebody's
        if len(items) != len(users):
            return f"{len(items)} events of items, but {len(users)} of users"
        order = np.argsort(users, kind="stable")
        fault = equal_fault("users", users[order], self.users)
        different = np.flatnonzero(items[order] != self.items)
        if fault is None and len(different):
            at = int(different[0])
            return f"event {at} is of item {items[order][at]!r}, not {self.items[at]!r}"
        return fault


def _values(column: Any) -> NDArray[Any]:
    """Integers, or strings as fixed-width bytes: comparable at NumPy's speed."""
    if isinstance(column, np.ndarray) and column.dtype != object:
        return column
    found = pa.array(column) if isinstance(column, np.ndarray | pd.Index) else column
    values = pa.chunked_array([found]) if isinstance(found, pa.Array) else found
    plain = values.to_numpy()
    return plain.astype("S16") if plain.dtype == object else plain


def ours(log: Log) -> Contender:
    """The public door to sequences."""
    return _contender("seqrec", "seqrec", _seqrec, log)


def _seqrec(log: Log) -> Callable[[int], Made]:
    table = log.arrow()

    def call(_seed: int) -> Made:
        read = Interactions.from_frame(table)
        found = read.sequences()
        offsets = np.append(found.starts, len(found.items))
        return offsets, found.items, read.user_ids.ids, read.item_ids.ids

    return call


def _seqrec_prepare(log: Log) -> Callable[[int], Made]:
    """With duplicates dropped, an audit and a fingerprint: what nobody else does here."""
    table = log.arrow()

    def call(_seed: int) -> Made:
        data = Interactions.from_frame(table).prepare()
        return data.offsets, data.items, data.user_ids.ids, data.item_ids.ids

    return call


def _pandas(log: Log) -> Callable[[int], Made]:
    frame = pd.DataFrame(
        {"user": _series(log.users), "item": _series(log.items), "time": log.times}
    )

    def call(_seed: int) -> Made:
        users, user_ids = pd.factorize(frame["user"])
        items, item_ids = pd.factorize(frame["item"])
        order = np.lexsort((frame["time"].to_numpy(), users))
        return _offsets(users, len(user_ids)), items[order], user_ids, item_ids

    return call


def _series(column: Any) -> pd.Series:
    return pd.Series(column if isinstance(column, np.ndarray) else pd.array(column, dtype="str"))


def _numpy(log: Log) -> Callable[[int], Made]:
    def call(_seed: int) -> Made:
        user_ids, users = np.unique(log.users, return_inverse=True)
        item_ids, items = np.unique(log.items, return_inverse=True)
        order = np.lexsort((log.times, users))
        return _offsets(users, len(user_ids)), items[order], user_ids, item_ids

    return call


def _numba(log: Log) -> Callable[[int], Made]:
    """Open addressing in one pass, counting sort by user, then each user by time."""

    def call(_seed: int) -> Made:
        users, user_ids = codes_of_integers(log.users)
        items, item_ids = codes_of_integers(log.items)
        offsets, sorted_items = order_by_user(users, items, log.times, len(user_ids))
        return offsets, sorted_items, user_ids, item_ids

    return call


def _polars(log: Log) -> Callable[[int], Made]:
    import polars as pl

    frame = pl.from_arrow(log.arrow())
    assert isinstance(frame, pl.DataFrame)  # of a table

    def codes(column: str) -> pl.DataFrame:
        return frame.select(pl.col(column).unique()).with_row_index(f"{column}_code")

    def call(_seed: int) -> Made:
        users, items = codes("user_id"), codes("item_id")
        coded = (
            frame.lazy()
            .join(users.lazy(), on="user_id", maintain_order="left")
            .join(items.lazy(), on="item_id", maintain_order="left")
            .select("user_id_code", "item_id_code", "timestamp")
            .sort("user_id_code", "timestamp", maintain_order=True)
            .collect()
        )
        offsets = _offsets(coded["user_id_code"].to_numpy(), len(users))
        ids = users["user_id"].to_arrow(), items["item_id"].to_arrow()
        return offsets, coded["item_id_code"].to_numpy(), *ids

    return call


def _duckdb(log: Log) -> Callable[[int], Made]:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {log.threads}")
    connection.execute("SET preserve_insertion_order = true")
    connection.register("log", log.arrow())

    def distinct(column: str) -> str:
        ids = f"SELECT DISTINCT {column} FROM log"  # noqa: S608
        return f"SELECT {column}, row_number() OVER () - 1 AS code FROM ({ids})"  # noqa: S608

    ordered = """
        SELECT users.code AS user, items.code AS item
        FROM (SELECT *, row_number() OVER () AS place FROM log)
        JOIN users USING (user_id) JOIN items USING (item_id)
        ORDER BY user, timestamp, place
    """

    def call(_seed: int) -> Made:
        for name in ("user", "item"):
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name}s AS {distinct(name + '_id')}")
        found = connection.sql(ordered).fetchnumpy()
        ids = [
            connection.sql(f"SELECT {name}_id FROM {name}s ORDER BY code").to_arrow_table()  # noqa: S608
            for name in ("user", "item")
        ]
        offsets = _offsets(found["user"], len(ids[0]))
        return offsets, found["item"], ids[0].column(0), ids[1].column(0)

    return call


def _offsets(users: NDArray[Any], n_users: int) -> NDArray[np.int64]:
    offsets = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=n_users), out=offsets[1:])
    return offsets


def _not_there(package: str, _log: Log) -> str | None:
    there = installed(package) is not None
    return None if there else f"{package} is not installed: pip install 'seqrec[bench]'"


def _integers_only(log: Log) -> str | None:
    return "strings: see pandas, whose hash table it would use" if log.is_text else None


_OTHERS: tuple[tuple[str, str, Callable[[Log], str | None], Make], ...] = (
    ("numba", "numba", lambda log: jit.why_not() or _integers_only(log), _numba),
    ("polars", "polars", partial(_not_there, "polars"), _polars),
    ("duckdb", "duckdb", partial(_not_there, "duckdb"), _duckdb),
    ("pandas factorize + lexsort", "pandas", lambda _: None, _pandas),
    ("NumPy unique + lexsort", "numpy", _integers_only, _numpy),
)
