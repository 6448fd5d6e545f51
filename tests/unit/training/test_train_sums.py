"""The sum of gradients over ranks, by a group of one."""

from __future__ import annotations

import pytest
import torch
from torch import distributed as dist

from seqrec.training import Ranks


@pytest.fixture
def ranks():
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    yield Ranks(torch.device("cpu"))
    dist.destroy_process_group()


def test_a_first_step_without_a_target_decides_nothing(ranks):
    used, unused = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    ranks.sum_gradients([used, unused], 0)
    assert used.grad is None
    used.grad = torch.tensor([4.0, 8.0])
    ranks.sum_gradients([used, unused], 4)
    assert used.grad.tolist() == [1.0, 2.0]
    assert unused.grad is None


def test_a_later_step_without_a_target_has_a_zero_gradient(ranks):
    used = torch.nn.Parameter(torch.zeros(2))
    used.grad = torch.ones(2)
    ranks.sum_gradients([used], 1)
    used.grad = None
    ranks.sum_gradients([used], 0)
    assert used.grad is not None
    assert used.grad.tolist() == [0.0, 0.0]
