"""A table is written as the name of its file says, or refused before any work."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from seqrec import table as tables
from seqrec.errors import ConfigError, ResourceError

TABLE = pa.table({"user_id": ["b,1", 'a"2', ""], "score": [0.1, 1 / 3, -2.0], "rank": [1, 2, 3]})


@pytest.mark.parametrize("name", ["lists.csv", "lists.CSV", "lists.parquet", "lists.pq"])
def test_the_ending_decides_and_nothing_is_lost(tmp_path, name):
    tables.write_table(tmp_path / name, TABLE)
    is_csv = name.lower().endswith("csv")
    read = pd.read_csv if is_csv else pd.read_parquet
    frame = read(tmp_path / name, **({"keep_default_na": False} if is_csv else {}))
    pd.testing.assert_frame_equal(frame, TABLE.to_pandas(), check_dtype=False)


@pytest.mark.parametrize("name", ["lists", "lists.json", "lists.csv.gz", "lists.tsv", "csv"])
def test_another_ending_is_refused_by_the_name_of_the_option(tmp_path, name):
    with pytest.raises(ConfigError, match=r"option `--out` .* \.parquet, \.pq or \.csv"):
        tables.check_target(Path(name), "--out")
    with pytest.raises(ConfigError, match=name):
        tables.write_table(tmp_path / name, TABLE)
    assert not list(tmp_path.iterdir())


def test_a_place_without_room_for_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "lists.csv").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError, match=r"lists\.csv is a folder"):
        tables.check_target(tmp_path / "lists.csv", "--out")
    with pytest.raises(ResourceError, match=r"a\.csv: .*/file is no folder"):
        tables.check_target(tmp_path / "file" / "a.csv", "--out")
    (tmp_path / "link.csv").symlink_to(tmp_path / "file" / "a.csv")
    with pytest.raises(ResourceError, match=r"link\.csv: .*/file is no folder"):
        tables.check_target(tmp_path / "link.csv", "--out")
