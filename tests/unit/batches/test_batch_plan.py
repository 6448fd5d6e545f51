"""Widths of batches, and the share of a step that falls to one rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqrec.batches.plan import Plan, padded_width


def plan_of(n_rows: int, batch_size: int) -> Plan:
    users = np.arange(n_rows, dtype=np.int32)
    return Plan(
        users=users, ks=users * 0, tokens=1 + users % 7, batch_size=batch_size, max_width=100,
        seed=0, epoch=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("length", "width"),
    [(1, 8), (8, 8), (9, 16), (17, 24), (32, 32), (33, 48), (64, 64), (65, 96), (97, 100)],
)
def test_width_is_the_next_of_a_few_sizes(length, width):
    assert padded_width(length, 100) == width


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_width_holds_the_longest_row_and_stays_under_the_cap(length, cap):
    length = min(length, cap)
    assert length <= padded_width(length, cap) <= cap


def test_two_hundred_lengths_need_at_most_twelve_widths():
    assert len({padded_width(length, 200) for length in range(1, 201)}) <= 12


def test_ranks_interleave_the_rows_of_a_global_batch():
    plan = plan_of(10, 4)
    assert [plan.share(1, rank, 2).users.tolist() for rank in (0, 1)] == [[4, 6], [5, 7]]


def test_a_rank_may_get_no_row_of_a_tiny_last_batch():
    assert plan_of(9, 4).share(2, 3, 4).n_rows == 0


def test_the_last_batch_counts_as_a_step():
    assert plan_of(9, 4).n_steps == 3


def test_all_ranks_have_the_width_of_the_global_batch():
    plan = Plan(
        users=np.arange(2, dtype=np.int32), ks=np.zeros(2, np.int32),
        tokens=np.array([3, 40], np.int32), batch_size=2, max_width=100, seed=0, epoch=0,
    )  # fmt: skip
    assert [plan.share(0, rank, 2).width for rank in (0, 1)] == [48, 48]
