"""The simulated logs of benchmarks, and what is drawn from them."""

from __future__ import annotations

import numpy as np
import pytest

from seqrec.bench.shapes import SHAPES, Problem, Sizes, prepared, simulate, simulated
from seqrec.data import Interactions, Sequences
from seqrec.errors import ConfigError


def test_nobody_takes_an_item_twice(tiny):
    part = tiny.sequences
    assert all(len(set(part.user(u).tolist())) == n for u, n in enumerate(part.lengths.tolist()))


def test_times_never_fall_for_a_user_and_some_are_equal(tiny):
    part = tiny.sequences
    gaps = [np.diff(tiny.times[part.starts[u] : part.stops[u]]) for u in range(part.n_users)]
    assert min(gap.min() for gap in gaps) == 0
    assert max(gap.max() for gap in gaps) == 2


def test_the_same_seed_gives_the_same_log():
    first, again, other = (simulate(SHAPES["tiny"], seed)[0].items for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_sizes_are_those_of_the_shape(tiny):
    assert tiny.sequences.n_users == 300
    assert tiny.sequences.items.max() <= 120
    assert tiny.sequences.n_events == pytest.approx(6_000, rel=0.1)


def test_a_batch_has_no_user_twice(tiny):
    assert all(len(set(users.tolist())) == 32 for users in tiny.batches())


def test_a_batch_larger_than_the_users_is_refused():
    problem = simulated("tiny", Sizes(batch_size=301))
    with pytest.raises(ConfigError, match="at most 300"):
        problem.batches()


@pytest.mark.parametrize(
    ("left", "rows"), [(True, [[0, 1, 2], [4, 5, 6]]), (False, [[1, 2, 0], [4, 5, 6]])]
)
def test_histories_are_padded_on_the_chosen_side(left, rows):
    sequences = Sequences.from_lists([[1, 2], [3, 4, 5, 6]])
    problem = Problem(
        shape="two", sequences=sequences, times=np.arange(6), n_items=6, max_seq_len=3,
        sizes=Sizes(),
    )  # fmt: skip
    assert problem.padded(3, left=left).tolist() == rows


def test_a_data_set_without_times_has_row_order(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id\n1,5\n1,6\n2,5\n")
    problem = prepared("log", Interactions.from_csv(tmp_path / "log.csv").prepare(), Sizes())
    assert problem.times.tolist() == [0, 1, 2]
    assert (problem.shape, problem.n_items, problem.max_seq_len) == ("log", 2, 200)


def test_an_unknown_shape_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean `films`"):
        simulated("film", Sizes())
