"""A process that has run kernels and forks, as a DataLoader does: its children do not hang."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILDREN = """
import multiprocessing, sys, warnings
import torch
from torch.utils.data import DataLoader, Dataset
from seqrec.batches import BatchStream, ClozeRows
from seqrec.data.sequences import Sequences

warnings.simplefilter("ignore")
histories = [[1 + (u + i) % 90 for i in range(20)] for u in range(300)]
rows = ClozeRows(Sequences.from_lists(histories), 90)


def digest(epoch):
    batches = BatchStream(rows, 32, 1, prefetch=PREFETCH).epoch(epoch)
    return sum(int(batch.tokens.sum()) + int(batch.labels.sum()) for batch in batches)


class Epochs(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, epoch):
        return digest(epoch)


expected = [digest(epoch) for epoch in range(4)]
context = multiprocessing.get_context("fork")
begun = BatchStream(rows, 32, 1, prefetch=PREFETCH).epoch(0)
if BUSY:
    next(begun)
for workers in (0, 1, 2, 4):
    loader = DataLoader(Epochs(), batch_size=None, num_workers=workers,
                        multiprocessing_context=context if workers else None)
    assert list(loader) == expected, (workers, list(loader), expected)
print("ok")
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle parent", "busy parent"])
@pytest.mark.parametrize("prefetch", [False, True], ids=["in turn", "ahead"])
def test_forked_children_read_the_same_batches(busy, prefetch):
    code = CHILDREN.replace("BUSY", str(busy)).replace("PREFETCH", str(prefetch))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("ok", 0), done.stderr


@pytest.mark.parametrize("prefetch", [False, True], ids=["in turn", "ahead"])
def test_leaving_the_process_in_the_middle_of_an_epoch_is_clean(prefetch):
    code = CHILDREN.split("expected =")[0] + (
        f"epoch = BatchStream(rows, 4, 1, prefetch={prefetch}).epoch(0)\nnext(epoch)\nprint('ok')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("ok", "", 0)
