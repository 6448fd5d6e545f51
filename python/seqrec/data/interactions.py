"""A log of interactions: who took what, when, in the order in which it was recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqrec import _core
from seqrec.allocator import give_back_freed_memory
from seqrec.config import check
from seqrec.data.arrays import Joined, check_array
from seqrec.data.columns import (
    Where,
    encode_ids,
    encode_texts,
    merge_vocabularies,
    read_ratings,
    read_times,
)
from seqrec.data.dataset import Dataset
from seqrec.data.delimited import CSV_SUFFIXES, is_csv, read_csv
from seqrec.data.json_lines import JSON_SUFFIXES, is_json_lines, read_json_lines
from seqrec.data.movielens import FILES as MOVIELENS_FILES
from seqrec.data.movielens import is_movielens, read_movielens
from seqrec.data.prepare import Events, PrepareConfig, prepare
from seqrec.data.roles import Columns
from seqrec.data.sequences import Sequences
from seqrec.data.shards import list_files
from seqrec.data.split import Split
from seqrec.data.tables import (
    PARQUET_SUFFIXES,
    RawTable,
    is_parquet,
    read_frame,
    read_parquet,
)
from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import ConfigError, DataError

_FORMATS: dict[str, tuple[Callable[[Path], bool], Callable[[Path, Columns], RawTable]]] = {
    "Parquet": (is_parquet, read_parquet),
    "JSON lines": (is_json_lines, read_json_lines),
    "text": (is_csv, read_csv),
}


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """The rows of a log, in their order, with raw ids as codes.

    Every `from_...` takes the names of the columns:
        user_col, item_col: raw ids, integers or strings.
        time_col: None: "timestamp", if there; "": no times, row order is the order; else required.
        rating_col: "": none; else required. Kept, and not used.

    Attributes:
        users: int32 [E], codes of `user_ids`.
        items: int32 [E], codes of `item_ids` (0-based; not yet the ids 1..=N of a data set).
        times: int64 [E], or None.
        ratings: float32 [E] with NaN where a rating is missing, or None.
        user_ids: raw ids of the users, in order.
        item_ids: raw ids of the items, in order.
        source: what was read.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None
    ratings: NDArray[np.float32] | None
    user_ids: Vocabulary
    item_ids: Vocabulary
    source: str

    def __post_init__(self) -> None:
        for name, codes, ids in (
            ("users", self.users, self.user_ids), ("items", self.items, self.item_ids),
        ):  # fmt: skip
            check_array("interactions", name, codes, np.int32)
            for code in (codes.min(), codes.max()) if len(codes) else ():
                if not 0 <= code < len(ids):
                    raise DataError(f"interactions: {name} have the code {code} of {len(ids)} ids")
        if self.times is not None:
            check_array("interactions", "times", self.times, np.int64)
        for name in ("items", "times", "ratings"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.users):
                raise DataError(f"interactions: {len(column)} {name} for {len(self.users)} users")

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        sep: str | None = None,
        *,
        user_col: str = "user_id",
        item_col: str = "item_id",
        time_col: str | None = None,
        rating_col: str = "",
    ) -> Interactions:
        """The log in a CSV or TSV file with a header, the files of a glob or of a folder.

        `sep` None: found from the header. Files are read in name order, as those of Parquet.

        A column of ids is integers if every field is one in canonical form ("7", not "007"),
        else strings, kept to the byte.

        Raises:
            DataError: names the file and the line, column and value that cannot be used.
        """
        columns = Columns(user=user_col, item=item_col, time=time_col, rating=rating_col)
        return cls._from_table(read_csv(path, columns, sep))

    @classmethod
    def from_json_lines(
        cls,
        path: str | Path,
        *,
        user_col: str = "user_id",
        item_col: str = "item_id",
        time_col: str | None = None,
        rating_col: str = "",
    ) -> Interactions:
        """The log in a file of JSON lines, the files of a glob or of a folder, in name order.

        A line is an object, whose names are those of the columns.

        Ids are integers or strings as JSON has them: "7" is no 7, and "" is an id, as in Parquet.
        Other names are passed over.

        Raises:
            DataError: names the file and the line, column and value that cannot be used.
        """
        columns = Columns(user=user_col, item=item_col, time=time_col, rating=rating_col)
        return cls._from_table(read_json_lines(path, columns))

    @classmethod
    def from_parquet(
        cls,
        path: str | Path,
        *,
        user_col: str = "user_id",
        item_col: str = "item_id",
        time_col: str | None = None,
        rating_col: str = "",
    ) -> Interactions:
        """The log in a Parquet file, the files of a glob, or a folder of shards, in name order.

        Numbers in names count by value: part-10 comes after part-9.

        Raises:
            DataError: names the file, row, column and value that cannot be used.
        """
        columns = Columns(user=user_col, item=item_col, time=time_col, rating=rating_col)
        return cls._from_table(read_parquet(path, columns))

    @classmethod
    def from_movielens(cls, path: str | Path) -> Interactions:
        """The log in MovieLens' `ratings.dat`, `u.data` or `ratings.csv`, or in their folder.

        Raises:
            DataError: names the file and the line, column and value that cannot be used.
        """
        return cls._from_table(read_movielens(path))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        user_col: str = "user_id",
        item_col: str = "item_id",
        time_col: str | None = None,
        rating_col: str = "",
    ) -> Interactions:
        """The log in a pandas or polars frame, an Arrow table, or anything that narwhals reads.

        Raises:
            DataError: names the row, column and value that cannot be used.
        """
        columns = Columns(user=user_col, item=item_col, time=time_col, rating=rating_col)
        return cls._from_table(read_frame(frame, columns))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        user_col: str = "user_id",
        item_col: str = "item_id",
        time_col: str | None = None,
        rating_col: str = "",
    ) -> Interactions:
        """The log in a file whose name tells its format, in the files of a folder or of a glob.

        `ratings.dat`, `u.data` and `ratings.csv` are MovieLens' (the last one only if the names of
        the columns are left at their defaults); .csv, .tsv, .tab and .txt are text and .jsonl,
        .ndjson and .json are JSON lines, compressed or not; .parquet is Parquet. A folder holds
        files of one format; beside Parquet anything may lie.

        Raises:
            DataError: if the name tells nothing, or the file cannot be used.
            ConfigError: if columns are named of a MovieLens file.
        """
        columns = Columns(user=user_col, item=item_col, time=time_col, rating=rating_col)
        return cls._from_table(_read_file(Path(path), columns))

    def prepare(self, config: PrepareConfig | None = None) -> Dataset:
        """Sorts, drops duplicates, filters and numbers: see `prepare.py`.

        Raises:
            ConfigError: for a config that is none.
            DataError: if the filter leaves nothing.
        """
        chosen = PrepareConfig() if config is None else config
        check(isinstance(chosen, PrepareConfig), "config", config, "a PrepareConfig")
        return prepare(Events.of(self), chosen)

    def sequences(self) -> Sequences:
        """The log as it is, user by user and oldest first; item ids are codes + 1.

        Nothing is dropped, filtered, counted or fingerprinted: that is what `prepare` is for.
        """
        offsets, items, _ = _core.group_events(
            self.users, self.items, self.times, False, len(self.user_ids)
        )
        items += 1
        return Sequences(items, offsets[:-1], offsets[1:])

    def split(self, name: str = "leave_one_out", cuts: tuple[int, int] | None = None) -> Split:
        """`prepare().split(name, cuts)`."""
        return self.prepare().split(name, cuts)

    @classmethod
    def _from_table(cls, table: RawTable) -> Interactions:
        if table.n_rows == 0:
            raise DataError(f"{table.source}: no rows")
        encode = encode_texts if table.is_text else encode_ids
        read = {role: Joined(table.n_rows) for role in table.names}
        ids: dict[str, list[tuple[int, Vocabulary]]] = {"user": [], "item": []}
        start = 0
        for piece in filter(_has_rows, table.pieces):
            where = _from_row(start, table.where)
            for role, vocabularies in ids.items():
                codes, vocabulary = encode(piece[role], table.names[role], where)
                read[role].add(codes)
                vocabularies.append((len(codes), vocabulary))
            for role, reader in (("time", read_times), ("rating", read_ratings)):
                if role in read:
                    read[role].add(reader(piece[role], table.names[role], where))
            start += len(piece["user"])
            del piece  # before the next one is read
        users, items = read["user"].array, read["item"].array
        in_pieces = len(ids["user"]) > 1
        user_ids = merge_vocabularies(users, ids["user"], table.names["user"])
        item_ids = merge_vocabularies(items, ids["item"], table.names["item"])
        times = read["time"].array if "time" in read else None
        ratings = read["rating"].array if "rating" in read else None
        if in_pieces:
            give_back_freed_memory()  # of the pieces: as much again as half the log
        return cls(users, items, times, ratings, user_ids, item_ids, table.source)


def _has_rows(piece: dict[str, Any]) -> bool:
    return len(piece["user"]) > 0


def _from_row(start: int, where: Where) -> Where:
    """Names the rows of a piece that starts at row `start`."""
    return lambda row: where(start + row)


def _read_file(path: Path, columns: Columns) -> RawTable:
    if _is_movielens(path, columns):
        if columns != Columns():
            raise ConfigError(
                f"{path} is MovieLens', whose columns are known: leave out their names "
                "(user_col, item_col, time_col, rating_col; command line: --user-col, ...)"
            )
        return read_movielens(path)
    return _reader_of(path)(path, columns)


def _reader_of(path: Path) -> Callable[[Path, Columns], RawTable]:
    """The reader of a file, or of those of a folder or glob, by their names."""
    files = list_files(path)
    found = {name: read for name, (holds, read) in _FORMATS.items() if any(map(holds, files))}
    if path.is_dir() and "Parquet" in found:
        return read_parquet  # what else lies there is taken to be about it
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise DataError(f"{path} holds {' and '.join(found)}: name the files of the log by a glob")
    suffixes = ", ".join((*CSV_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES))
    known = f"{suffixes}, or one of {', '.join(MOVIELENS_FILES)}"
    if path.is_dir():
        raise DataError(f"{path} holds no file whose name tells a format: {known}")
    raise DataError(f"the name of {path} tells no format: {known}")


def _is_movielens(path: Path, columns: Columns) -> bool:
    if path.is_dir():
        return any(is_movielens(path / name) for name in MOVIELENS_FILES if (path / name).is_file())
    # Whoever names the columns of a ratings.csv says that it is any log.
    return is_movielens(path) and (columns == Columns() or path.suffix != ".csv")
