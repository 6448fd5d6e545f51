"""The stream: every row once, the same however it is cut, and a thread that always ends."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import os
import pickle
import threading
import time

import pytest
import torch

from seqrec.batches import (
    BatchStream,
    Buffers,
    ClozeRows,
    NegativeConfig,
    Negatives,
    RelevancePairRows,
    WindowConfig,
)
from seqrec.batches.prefetch import RING
from seqrec.data.sequences import Sequences
from seqrec.errors import DataError, ResourceError

# 30 users with 1..30 items of 40; the longest histories need several windows.
TRAIN = Sequences.from_lists([[1 + (u * 7 + i) % 40 for i in range(u + 1)] for u in range(30)])
ROWS = ClozeRows(
    TRAIN, 40, WindowConfig(max_seq_len=12),
    negatives=Negatives(TRAIN, 40, NegativeConfig(num_negatives=2)),
)  # fmt: skip
PAIRS = RelevancePairRows(TRAIN, Negatives(TRAIN, 40), targets_per_user=5)


def rows_of(batch) -> list[tuple]:
    """Each row without its padding, as one hashable thing."""
    tokens, labels = batch.tokens.tolist(), batch.labels.tolist()
    return [
        (tuple(t for t in token if t), tuple(x for x in label if x != -100), tuple(negative))
        for token, label, negative in zip(tokens, labels, batch.negatives.tolist(), strict=True)
    ]


def epoch_of(batch_size=4, epoch=0, first_step=0, rows=ROWS, **options) -> list[list[tuple]]:
    stream = BatchStream(rows, batch_size, seed=5, **options)
    return [rows_of(batch) for batch in stream.epoch(epoch, first_step)]


def flat(batches: list[list[tuple]]) -> list[tuple]:
    return sorted(row for batch in batches for row in batch)


def prefetch_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "seqrec-prefetch"]


class SlowRows:
    """The rows, but each batch takes its time; the third fails if it is told to."""

    def __init__(self, seconds: float = 0.0, *, failing: bool = False) -> None:
        self.seconds, self.failing, self.filled = seconds, failing, 0
        self.plan = ROWS.plan

    def fill(self, share, buffers):
        time.sleep(self.seconds)
        self.filled += 1
        if self.failing and self.filled == 3:
            raise RuntimeError("the third batch")
        return ROWS.fill(share, buffers)


def test_steps_are_those_of_the_epoch():
    assert len(epoch_of()) == BatchStream(ROWS, 4, 5).steps_per_epoch(0)


def test_steps_of_all_epochs_take_one_plan():
    rows = SlowRows()
    plans = []
    rows.plan = lambda *order: plans.append(order) or ROWS.plan(*order)
    stream = BatchStream(rows, 4, 5)
    assert len({stream.steps_per_epoch(epoch) for epoch in range(100)}) == len(plans) == 1


@pytest.mark.parametrize("rows", [ROWS, PAIRS], ids=["windows", "targets"])
def test_every_epoch_has_as_many_rows(rows):
    assert len({rows.plan(5, epoch, 4).n_rows for epoch in range(20)}) == 1


def test_a_plan_that_changes_its_number_of_rows_is_refused():
    rows = SlowRows()
    stream = BatchStream(rows, 4, 5)
    stream.epoch(0)
    rows.plan = ClozeRows(Sequences.from_lists([[1, 2]]), 9).plan
    with pytest.raises(DataError, match="epoch 1 has 1 rows"):
        stream.epoch(1)


def test_content_does_not_depend_on_the_batch_size():
    assert flat(epoch_of(batch_size=3)) == flat(epoch_of(batch_size=16))


def test_every_row_comes_exactly_once():
    plan = ROWS.plan(5, 0, 4)
    rows = {(u, k) for u, k in zip(plan.users.tolist(), plan.ks.tolist(), strict=True)}
    assert len(rows) == plan.n_rows == sum(len(batch) for batch in epoch_of())


def test_every_user_has_a_row():
    assert set(ROWS.plan(5, 0, 4).users.tolist()) == set(range(30))


def test_order_differs_between_epochs():
    assert ROWS.plan(5, 0, 4).users.tolist() != ROWS.plan(5, 1, 4).users.tolist()


def test_the_same_seed_gives_the_same_epoch():
    assert epoch_of(epoch=2) == epoch_of(epoch=2)


@pytest.mark.parametrize("first_step", [0, 1, 5])
def test_an_epoch_can_be_entered_at_any_step(first_step):
    assert epoch_of(first_step=first_step) == epoch_of()[first_step:]


def test_entering_at_a_late_step_makes_no_earlier_batch():
    rows = SlowRows()
    stream = BatchStream(rows, 4, 5)
    last = stream.steps_per_epoch(0) - 1
    assert len(list(stream.epoch(0, first_step=last))) == rows.filled == 1


def test_prefetching_changes_nothing():
    assert epoch_of(prefetch=False) == epoch_of(prefetch=True)


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_together_have_the_global_batches(world_size):
    ranks = [epoch_of(rank=rank, world_size=world_size) for rank in range(world_size)]
    together = [[row for rank in step for row in rank] for step in zip(*ranks, strict=True)]
    assert [sorted(batch) for batch in together] == [sorted(batch) for batch in epoch_of()]


def test_ranks_share_the_width_of_each_batch():
    streams = [BatchStream(ROWS, 4, 5, rank=rank, world_size=4) for rank in range(4)]
    for step in zip(*(stream.epoch(0) for stream in streams), strict=True):
        assert len({batch.tokens.shape[1] for batch in step}) == 1


def test_a_rank_without_rows_gets_an_empty_batch():
    three = ClozeRows(Sequences.from_lists([[1, 2]] * 5), 9)
    *_, last = BatchStream(three, 4, 5, rank=3, world_size=4).epoch(0)
    assert (last.n_rows, last.n_targets) == (0, 0)


@pytest.mark.parametrize(("device", "prefetch"), [("cpu", False), ("cuda", True), ("mps", True)])
def test_batches_for_another_device_are_filled_ahead(device, prefetch):
    assert BatchStream(ROWS, 4, 5, device=device).prefetch is prefetch
    assert BatchStream(ROWS, 4, 5, device=device, prefetch=not prefetch).prefetch is not prefetch


@pytest.mark.parametrize("prefetch", [True, False])
def test_a_batch_stays_until_the_next_is_asked_for(prefetch):
    for batch in BatchStream(ROWS, 4, 5, prefetch=prefetch).epoch(0):
        before = batch.tokens.clone()
        time.sleep(0.002)  # long enough for the thread to fill all it may
        assert torch.equal(batch.tokens, before)


@pytest.mark.parametrize("prefetch", [True, False])
def test_memory_is_reused(prefetch):
    stream = BatchStream(ROWS, 4, 5, prefetch=prefetch)
    places = {batch.tokens.data_ptr() for batch in stream.epoch(0)}
    assert len(places) < BatchStream(ROWS, 4, 5).steps_per_epoch(0)


@pytest.mark.parametrize("prefetch", [True, False])
@pytest.mark.parametrize("steps", [1, None])
def test_an_epoch_has_the_memory_of_the_one_before_it(prefetch, steps):
    alike = ClozeRows(Sequences.from_lists([[1, 2, 3]] * 20), 9)  # memory never has to grow
    stream = BatchStream(alike, 4, 5, prefetch=prefetch)
    memory = []
    for epoch in range(2):
        batches = stream.epoch(epoch)
        memory.append({batch.tokens.data_ptr() for batch in itertools.islice(batches, steps)})
        batches.close()
    assert len(memory[0] | memory[1]) <= (RING if prefetch else 1)


def test_batches_are_views_of_the_buffers_on_the_cpu():
    batch = next(BatchStream(ROWS, 4, 5).epoch(0))
    assert batch.tokens._base is not None


@pytest.mark.parametrize("prefetch", [True, False])
def test_two_epochs_can_be_read_side_by_side(prefetch):
    stream = BatchStream(ROWS, 4, 5, prefetch=prefetch)
    pairs = zip(stream.epoch(0), stream.epoch(0), strict=True)
    assert all(torch.equal(a.tokens, b.tokens) for a, b in pairs)


def test_leaving_the_loop_early_stops_the_thread():
    for _ in BatchStream(ROWS, 4, 5, prefetch=True).epoch(0):
        assert prefetch_threads()
        break
    assert not prefetch_threads()


def test_the_thread_ends_with_the_epoch():
    list(BatchStream(ROWS, 4, 5, prefetch=True).epoch(0))
    assert not prefetch_threads()


def test_an_epoch_that_is_never_read_starts_no_thread():
    epoch = BatchStream(ROWS, 4, 5, prefetch=True).epoch(0)
    assert not prefetch_threads()
    epoch.close()


@pytest.mark.usefixtures("no_thread_starts")
def test_a_thread_that_the_system_refuses_is_an_error_of_ours():
    with pytest.raises(ResourceError, match="starts no more threads"):
        next(BatchStream(ROWS, 4, 5, prefetch=True).epoch(0))
    gc.collect()


@pytest.mark.parametrize("prefetch", [True, False])
def test_an_error_while_filling_reaches_the_consumer(prefetch):
    got = []
    with pytest.raises(RuntimeError, match="the third batch"):
        got.extend(BatchStream(SlowRows(failing=True), 4, 5, prefetch=prefetch).epoch(0))
    assert len(got) == 2
    assert not prefetch_threads()


@pytest.mark.parametrize("prefetch", [True, False])
def test_waiting_is_measured(prefetch):
    stream = BatchStream(SlowRows(0.02), 16, 5, prefetch=prefetch)
    n_steps = len(list(stream.epoch(0)))
    assert 0.01 * n_steps < stream.wait_seconds


def test_a_slow_consumer_hardly_waits():
    stream = BatchStream(SlowRows(0.02), 8, 5, prefetch=True)
    batches = stream.epoch(0)
    next(batches)
    first = stream.wait_seconds
    for _ in batches:
        time.sleep(0.04)
    assert stream.wait_seconds - first < 0.01 * stream.steps_per_epoch(0)


def test_a_refill_waits_for_the_copy_before_it(monkeypatch):
    seen = []

    class Event:
        def __init__(self):
            seen.append("made")

        def record(self, stream):
            seen.append(f"recorded on {stream}")

        def synchronize(self):
            seen.append("waited")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"the stream of {device}")
    buffers = Buffers()
    buffers.wait()
    for _ in range(2):
        buffers.copying(torch.device("cuda:0"))
        buffers.wait()
    assert seen == ["made", *["recorded on the stream of cuda:0", "waited"] * 2]


def test_a_stream_can_be_pickled_for_a_spawned_process():
    stream = BatchStream(ROWS, 4, 5)
    new = pickle.dumps(stream)
    for _ in stream.epoch(0):
        pass
    assert len(pickle.dumps(stream)) < 2 * len(new), "the memory of an epoch stays here"
    stream = pickle.loads(pickle.dumps(stream))
    assert [rows_of(batch) for batch in stream.epoch(0)] == epoch_of()


def test_an_epoch_begun_in_another_process_is_refused(monkeypatch):
    stream = BatchStream(ROWS, 4, 5, prefetch=True)
    epoch = stream.epoch(0)
    next(epoch)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ResourceError, match="begun before a fork"):
        next(epoch)
    assert stream._idle == []  # its buffers may be half filled, by a thread that is not here
    assert [rows_of(batch) for batch in stream.epoch(0)] == epoch_of()


def test_no_batch_reads_a_global_generator():
    torch.manual_seed(0)
    first = epoch_of()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert epoch_of() == first
    assert torch.equal(torch.get_rng_state(), before)


def test_targets_are_counted_before_the_copy():
    for batch in BatchStream(ROWS, 4, 5, device=torch.device("meta")).epoch(0):
        assert isinstance(batch.n_targets, int)
        assert {type(getattr(batch, f.name)) for f in dataclasses.fields(batch)} == {
            int, torch.Tensor,
        }  # fmt: skip
