"""One of several processes that evaluate together: importable by a spawned child."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch.distributed as dist

from seqrec.evaluation.next_item import EvalConfig, NextItemResult, evaluate_next_item
from seqrec.evaluation.shards import all_gather
from unit.evaluation.toy_split import Table, random_split


def evaluated(lists: bool, rank: int = 0, world_size: int = 1) -> NextItemResult:
    split, scorer = random_split(23, 15), Table(np.random.default_rng(0).normal(size=(23, 15)))
    config = EvalConfig(batch_size=23, lists=lists)  # one chunk: the first process has no user
    return evaluate_next_item(scorer, split, split.test, config, rank=rank, world_size=world_size)


def one_process(rank: int, world_size: int, folder: str) -> None:
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world_size)
    for lists in (False, True):
        report = all_gather(evaluated(lists, rank, world_size)).report()
        Path(folder, f"{rank}-{lists}.json").write_text(report.to_json())
    dist.destroy_process_group()
