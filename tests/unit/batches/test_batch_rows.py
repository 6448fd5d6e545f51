"""What the four kinds of rows hold, small enough to check by hand."""

from __future__ import annotations

import pytest
import torch

from seqrec.batches import (
    BatchStream,
    ClozeConfig,
    ClozeRows,
    NegativeConfig,
    Negatives,
    NextItemRows,
    RelevancePairRows,
    RelevanceSequenceRows,
    WindowConfig,
)
from seqrec.data.sequences import Sequences

MASK = 10  # n_items = 9
ONE = Sequences.from_lists([[5, 6, 7]])
SHORT = WindowConfig(max_seq_len=4)
LAST = ClozeConfig(last_only_prob=1.0)


def only_batch(rows, batch_size=8, epoch=0):
    (batch,) = BatchStream(rows, batch_size, seed=1).epoch(epoch)
    return batch


def test_every_next_item_is_a_target():
    batch = only_batch(NextItemRows(ONE, SHORT))
    assert batch.inputs.tolist() == [[5, 6, 0, 0]]
    assert batch.targets.tolist() == [[6, 7, -100, -100]]


def test_next_item_targets_are_counted_without_padding():
    assert only_batch(NextItemRows(ONE, SHORT)).n_targets == 2


def test_a_window_holds_one_item_more_than_its_inputs():
    batch = only_batch(NextItemRows(ONE, WindowConfig(max_seq_len=2)))
    assert (batch.inputs.tolist(), batch.targets.tolist()) == ([[5, 6]], [[6, 7]])


@pytest.mark.parametrize("policy", ["random", "shifted", "last", "sliding"])
def test_a_user_with_one_item_has_no_next_item_row(policy):
    both = Sequences.from_lists([[4], [5, 6], []])
    config = WindowConfig(windows=policy, max_seq_len=4)
    assert only_batch(NextItemRows(both, config)).inputs.tolist() == [[5, 0, 0, 0]]


def test_sliding_windows_make_every_item_a_target_once():
    long = Sequences.from_lists([[1, 2, 3, 4, 5, 6, 7]])
    rows = NextItemRows(long, WindowConfig(windows="sliding", max_seq_len=3))
    targets = only_batch(rows).targets
    assert sorted(targets[targets != -100].tolist()) == [2, 3, 4, 5, 6, 7]


def test_hidden_items_are_the_labels():
    batch = only_batch(ClozeRows(ONE, 9, SHORT, ClozeConfig(mask_prob=1.0, last_only_prob=0.0)))
    assert batch.tokens.tolist() == [[0, MASK, MASK, MASK]]
    assert batch.labels.tolist() == [[-100, 5, 6, 7]]


def test_last_only_rows_look_like_inference():
    batch = only_batch(ClozeRows(ONE, 9, SHORT, LAST))
    assert batch.tokens.tolist() == [[0, 5, 6, MASK]]
    assert (batch.labels.tolist(), batch.n_targets) == ([[-100, -100, -100, 7]], 1)


def test_prefixes_hide_each_item_but_the_first_behind_what_came_before_it():
    config = WindowConfig(windows="prefixes", max_seq_len=4)
    rows = ClozeRows(Sequences.from_lists([[5, 6, 7, 8, 9], [4]]), 9, config, LAST)
    batch = only_batch(rows)
    shown = sorted(zip(batch.tokens.tolist(), batch.labels[:, -1].tolist(), strict=True))
    assert shown == [
        ([0, 0, 0, MASK], 4),
        ([0, 0, 5, MASK], 6),
        ([0, 5, 6, MASK], 7),
        ([5, 6, 7, MASK], 8),
        ([6, 7, 8, MASK], 9),
    ]


def test_every_cloze_row_hides_something():
    many = Sequences.from_lists([[1, 2]] * 200)
    batch = only_batch(ClozeRows(many, 9, SHORT, ClozeConfig(mask_prob=0.01)), batch_size=200)
    assert (batch.labels != -100).any(dim=1).all()


def test_masks_are_drawn_anew_in_every_epoch():
    many = Sequences.from_lists([[1, 2, 3, 4]] * 50)
    rows = ClozeRows(many, 9, SHORT, ClozeConfig(last_only_prob=0.0))
    assert not torch.equal(only_batch(rows, 50, 0).tokens, only_batch(rows, 50, 1).tokens)


def test_sampled_losses_get_negatives_for_each_row():
    sampler = Negatives(ONE, 9, NegativeConfig(num_negatives=30))
    for rows in (NextItemRows(ONE, negatives=sampler), ClozeRows(ONE, 9, negatives=sampler)):
        assert set(only_batch(rows).negatives.flatten().tolist()) <= {1, 2, 3, 4, 8, 9}


def test_relevance_sequences_pair_each_positive_with_a_negative():
    batch = only_batch(RelevanceSequenceRows(ONE, Negatives(ONE, 9), SHORT))
    assert batch.inputs.tolist() == [[5, 6, 0, 0]]
    assert batch.positives.tolist() == [[6, 7, 0, 0]]
    assert ((batch.negatives > 0) == (batch.positives > 0)).all()
    assert set(batch.negatives[0, :2].tolist()) <= {1, 2, 3, 4, 8, 9}
    assert batch.n_targets == 4


def test_a_row_with_a_prefix_has_pairs_from_its_last_item_on():
    many = Sequences.from_lists([[5, 6, 7, 8]] * 50)
    rows = RelevanceSequenceRows(many, Negatives(many, 9), SHORT, prefixes=True)
    batch = only_batch(rows, batch_size=50)
    lengths = batch.prefixes.tolist()
    assert set(lengths) == {1, 2, 3}
    for length, positives in zip(lengths, batch.positives.tolist(), strict=True):
        assert positives == [0] * (length - 1) + [6, 7, 8][length - 1 :] + [0]
    assert ((batch.negatives > 0) == (batch.positives > 0)).all()
    assert batch.n_targets == 2 * (batch.positives > 0).sum()


def test_an_item_taken_before_is_no_positive():
    again = Sequences.from_lists([[5, 6, 5]])
    batch = only_batch(RelevanceSequenceRows(again, Negatives(again, 9), SHORT))
    assert batch.positives.tolist() == [[6, 0, 0, 0]]


def test_pairs_put_the_candidate_last_and_share_their_history():
    rows = RelevancePairRows(ONE, Negatives(ONE, 9), max_seq_len=4)
    batch = only_batch(rows)
    pairs = batch.tokens.reshape(2, 2, 4).tolist()
    assert sorted(pair[0] for pair in pairs) == [[0, 0, 5, 6], [0, 5, 6, 7]]
    for target, negative in pairs:
        assert negative[:3] == target[:3]
        assert negative[3] in {1, 2, 3, 4, 8, 9}
    assert batch.labels.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert batch.n_targets == 4


def test_pairs_keep_the_most_recent_history():
    long = Sequences.from_lists([[1, 2, 3, 4]])
    rows = RelevancePairRows(long, Negatives(long, 9), max_seq_len=3)
    targets = only_batch(rows).tokens[::2].tolist()
    assert sorted(targets) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_targets_of_a_user_are_as_many_as_asked_for():
    long = Sequences.from_lists([list(range(1, 9))])
    rows = RelevancePairRows(long, Negatives(long, 9), targets_per_user=3)
    assert only_batch(rows).n_rows == 6


def test_a_batch_moves_whole():
    batch = only_batch(NextItemRows(ONE, SHORT)).to("meta")
    assert (batch.inputs.device.type, batch.targets.device.type) == ("meta", "meta")
    assert (batch.negatives, batch.n_targets, batch.n_rows) == (None, 2, 1)
