import itertools
import json

import numpy as np
import pytest
import torch.multiprocessing as mp

from seqrec.errors import ConfigError
from seqrec.evaluation.next_item import EvalConfig, evaluate_next_item
from seqrec.evaluation.relevance import evaluate_relevance
from seqrec.evaluation.scorers import pairs_by_column
from seqrec.evaluation.shards import merge, shard
from unit.evaluation.one_process import evaluated, one_process
from unit.evaluation.toy_split import Table, random_split


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("n_users", [0, 1, 5, 23, 24])
def test_shards_are_the_chunks_of_one_process_in_order(n_users, world_size):
    together = [c for rank in range(world_size) for c in shard(n_users, 4, rank, world_size)]
    assert together == shard(n_users, 4)
    assert [u for c in together for u in range(c.start, c.stop)] == list(range(n_users))


def test_a_rank_outside_the_world_is_refused():
    with pytest.raises(ConfigError, match="`rank` is 2"):
        shard(5, 4, 2, 2)


@pytest.mark.parametrize("world_size", [2, 3, 4, 9])
def test_next_item_of_many_processes_is_that_of_one(world_size):
    split, scorer = random_split(23, 15), Table(np.random.default_rng(0).normal(size=(23, 15)))
    config = EvalConfig(batch_size=4)
    parts = [
        evaluate_next_item(scorer, split, split.test, config, rank=r, world_size=world_size)
        for r in range(world_size)
    ]
    assert merge(parts).report() == evaluate_next_item(scorer, split, split.test, config).report()


@pytest.mark.parametrize("world_size", [2, 3, 4, 9])
def test_relevance_of_many_processes_is_that_of_one(world_size):
    split, rng = random_split(23, 15), np.random.default_rng(0)
    scorer = pairs_by_column(Table(rng.normal(size=(23, 15))))
    negatives = rng.integers(1, 16, (23, 3)).astype(np.int32)
    parts = [
        evaluate_relevance(
            scorer, split, split.test, negatives, batch_size=4, rank=r, world_size=world_size
        )
        for r in range(world_size)
    ]
    one = evaluate_relevance(scorer, split, split.test, negatives, batch_size=4)
    assert merge(parts).report() == one.report()


def test_every_process_gathers_the_result_of_one(tmp_path):
    mp.spawn(one_process, (2, str(tmp_path)), nprocs=2)
    for rank, lists in itertools.product(range(2), (False, True)):
        found = json.loads((tmp_path / f"{rank}-{lists}.json").read_text())
        assert found == evaluated(lists).report().to_dict()
