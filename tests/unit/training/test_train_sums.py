"""The sum of gradients over ranks, by a group of one."""

from __future__ import annotations

import pytest
import torch
from torch import distributed as dist

from seqrec.batches import NextItemBatch
from seqrec.models import LSTM, LSTMConfig
from seqrec.tokens import IGNORE
from seqrec.training import ObjectiveConfig, Ranks, TrainConfig, make_objective
from seqrec.training.step import Stepper


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


class OneOfMany(Ranks):
    """A group of one that exchanges gradients as many do."""

    alone = False


@pytest.mark.parametrize("targets", [[0, 0], [0, 3], [3, 0]])
def test_steps_without_a_target_are_those_of_one_process(ranks, targets):
    def weights(ranks):
        torch.manual_seed(0)
        model = LSTM(9, LSTMConfig(embedding_dim=4, hidden_size=3, dropout=0, output_dropout=0))
        objective = make_objective(ObjectiveConfig(l2=0.1), "lstm", "next_item")
        stepper = Stepper(model, objective, TrainConfig(), total_steps=9, no_decay=(), ranks=ranks)
        inputs = torch.tensor([[1, 2, 3]])
        for step, n in enumerate(targets):
            wanted = torch.full_like(inputs, IGNORE)
            wanted[0, :n] = 5
            stepper.take(NextItemBatch(inputs=inputs, targets=wanted, n_targets=n), step)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    one, many = weights(ranks), weights(OneOfMany(torch.device("cpu")))
    torch.testing.assert_close(many, one, rtol=0, atol=1e-7)
