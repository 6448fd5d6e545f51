"""The floor that plain loops set."""

from __future__ import annotations

import json

import pytest

from seqrec.bench.contender import Work
from seqrec.bench.limits import FIGURES, floor_seconds, level_of, read_limits
from seqrec.errors import DataError

TABLE = {name: 10.0 for name in FIGURES} | {"draws": 2.0, "read RAM": 1.0}
LIMITS = {"threads": {"1": TABLE}}


@pytest.mark.parametrize(
    ("work", "seconds"),
    [
        (Work(reads=10e9, resident=500), 1.0),
        (Work(reads=10e9, resident=1e12), 10.0),
        (Work(reads=10e9, writes=20e9, draws=4e9), 5.0),
    ],
)
def test_bytes_and_draws_follow_each_other(work, seconds):
    assert floor_seconds(work, LIMITS, 1) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("resident", "threads", "level"),
    [(1000, 1, "L2"), (1001, 1, "L3"), (2000, 2, "L2"), (5000, 2, "L3"), (5001, 2, "RAM")],
)
def test_each_thread_has_an_l2_and_all_share_the_l3(resident, threads, level):
    assert level_of(resident, threads, {"L2": 1000, "L3": 5000}) == level


def test_without_limits_for_so_many_threads_there_is_no_floor():
    assert floor_seconds(Work(reads=1), LIMITS, 2) is None
    assert floor_seconds(Work(reads=1), {}, 1) is None


def test_a_file_that_lacks_a_figure_is_named(tmp_path):
    path = tmp_path / "limits.json"
    path.write_text(json.dumps(LIMITS))
    assert read_limits(path) == LIMITS
    less = {name: value for name, value in TABLE.items() if name != "copy L3"}
    path.write_text(json.dumps(LIMITS | {"threads": {"1": less}}))
    with pytest.raises(DataError, match=r"limits\.json: threads '1' lacks 'copy L3'"):
        read_limits(path)


@pytest.mark.parametrize("value", [0, -1.0, "9", None])
def test_a_figure_that_is_no_rate_is_named(tmp_path, value):
    path = tmp_path / "limits.json"
    path.write_text(json.dumps(LIMITS | {"threads": {"1": TABLE | {"copy L3": value}}}))
    with pytest.raises(DataError, match=r"limits\.json: 'copy L3' of threads '1' is .* above 0"):
        read_limits(path)
