"""Tables that are written where somebody asked for them: as CSV or Parquet, as the name says."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from seqrec.config import check
from seqrec.files import refuse_place, whole_file

_WRITERS = {".parquet": pq.write_table, ".pq": pq.write_table, ".csv": pa_csv.write_csv}


def check_target(path: Path, option: str) -> None:
    """Refuses what `write_table` would refuse, before any work is done.

    Raises:
        ConfigError: unless the name ends in .parquet, .pq or .csv; names the option.
        ResourceError: where no file can be put.
    """
    _check_name(path, option)
    refuse_place(path)


def write_table(path: Path, table: pa.Table) -> None:
    """Writes Parquet or CSV, whole or not at all.

    Raises:
        ConfigError: for any other name than `check_target` lets pass.
        ResourceError: if the file cannot be written.
    """
    _check_name(path, "path")
    with whole_file(path) as aside:
        _WRITERS[path.suffix.lower()](table, aside)


def _check_name(path: Path, option: str) -> None:
    rule = "a file that ends in .parquet, .pq or .csv, which is how the table is written"
    check(path.suffix.lower() in _WRITERS, option, str(path), rule)
