"""Options that contradict each other or lie out of range are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

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
from seqrec.errors import ConfigError, DataError

TRAIN = Sequences.from_lists([[1, 2, 3], [2, 4]])


@pytest.mark.parametrize(
    ("config", "options", "named"),
    [
        (WindowConfig, {"windows": "all"}, "windows"),
        (WindowConfig, {"max_seq_len": 1}, "max_seq_len"),
        (WindowConfig, {"stride": 4}, "stride"),
        (WindowConfig, {"windows": "sliding", "max_seq_len": 8, "stride": 9}, "stride"),
        (ClozeConfig, {"mask_prob": 0.0}, "mask_prob"),
        (ClozeConfig, {"mask_prob": float("nan")}, "mask_prob"),
        (ClozeConfig, {"keep_prob": 0.6, "random_prob": 0.5}, "keep_prob"),
        (NegativeConfig, {"num_negatives": -1}, "num_negatives"),
        (NegativeConfig, {"neg_sampling": "hard"}, "neg_sampling"),
        (NegativeConfig, {"pop_alpha": 0.5}, "pop_alpha"),
    ],
)
def test_an_impossible_option_is_named(config, options, named):
    with pytest.raises(ConfigError, match=named):
        config(**options)


def test_prefixes_are_for_cloze_rows():
    prefixes = WindowConfig(windows="prefixes")
    with pytest.raises(ConfigError, match="prefixes are for cloze"):
        NextItemRows(TRAIN, prefixes)
    with pytest.raises(ConfigError, match="prefixes are for cloze"):
        RelevanceSequenceRows(TRAIN, Negatives(TRAIN, 4), prefixes)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 1, "world_size": 2}, "batch_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"world_size": 0}, "world_size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_an_impossible_stream_is_named(options, named):
    with pytest.raises(ConfigError, match=named):
        BatchStream(NextItemRows(TRAIN), **({"batch_size": 2, "seed": 0} | options))


def test_a_sampler_that_draws_nothing_is_refused():
    with pytest.raises(ConfigError, match="num_negatives"):
        NextItemRows(TRAIN, negatives=Negatives(TRAIN, 9))


@pytest.mark.parametrize("rows", [RelevancePairRows, RelevanceSequenceRows])
def test_relevance_refuses_a_number_of_negatives_that_it_would_not_read(rows):
    with pytest.raises(ConfigError, match="num_negatives"):
        rows(TRAIN, Negatives(TRAIN, 9, NegativeConfig(num_negatives=3)))


def test_a_step_after_the_last_is_refused():
    with pytest.raises(ConfigError, match="first_step"):
        BatchStream(NextItemRows(TRAIN), 2, 0).epoch(0, first_step=2)


def test_data_without_a_row_is_refused():
    with pytest.raises(DataError, match="no user"):
        BatchStream(NextItemRows(Sequences.from_lists([[1], []])), 2, 0).epoch(0)


def test_an_item_outside_the_catalogue_is_refused_and_not_read_as_mask():
    with pytest.raises(DataError, match=r"item id 9 is outside 1\.\.=3"):
        ClozeRows(Sequences.from_lists([[1, 9]]), 3)
    with pytest.raises(DataError, match=r"item id 4 is outside 1\.\.=3"):
        Negatives(Sequences.from_lists([[1, 4]]), 3)


@pytest.mark.parametrize("item", [0, -2])
def test_an_id_below_1_is_refused_and_not_read_as_padding(item):
    items, bounds = np.array([1, item, 2], dtype=np.int32), np.array([0, 3])
    with pytest.raises(DataError, match=rf"item id {item} is outside 1\.\.=3"):
        ClozeRows(Sequences(items, bounds[:1], bounds[1:]), 3)


@pytest.mark.parametrize("item", [0, -100])
def test_next_item_rows_refuse_what_would_be_read_as_padding(item):
    items = np.array([1, item, 3], dtype=np.int32)
    with pytest.raises(DataError, match=f"item id {item} is outside 1"):
        NextItemRows(Sequences(items, np.array([0]), np.array([3])))


SAMPLED = NegativeConfig(num_negatives=1)


@pytest.mark.parametrize(
    "rows",
    [
        lambda part: RelevanceSequenceRows(part, Negatives(TRAIN, 4)),
        lambda part: RelevancePairRows(part, Negatives(TRAIN, 4)),
        lambda part: NextItemRows(part, negatives=Negatives(TRAIN, 4, SAMPLED)),
        lambda part: ClozeRows(part, 4, negatives=Negatives(TRAIN, 4, SAMPLED)),
    ],
)
@pytest.mark.parametrize(
    ("lists", "named"),
    [
        ([[1, 2], [2, 4, 1]], "does not know that user 1 has taken item 1"),
        ([[1, 2], [2, 4, 5]], "item id 5 is outside 1..=4"),
        ([[1, 2]], "they are of 1 users, and the sampler of negatives was made from 2"),
    ],
)
def test_a_sampler_of_other_sequences_is_refused(rows, lists, named):
    with pytest.raises(DataError, match=named):
        rows(Sequences.from_lists(lists))


def test_a_sampler_may_know_of_more_than_the_rows_have():
    rows = RelevanceSequenceRows(Sequences.from_lists([[1, 2], [2]]), Negatives(TRAIN, 4))
    assert next(BatchStream(rows, 2, 0, device="cpu").epoch(0)).n_targets == 2
