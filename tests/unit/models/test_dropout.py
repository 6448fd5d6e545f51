from __future__ import annotations

import pytest
import torch

from seqrec.models.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_probability_p(p):
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(100_001), p) == 0).double().mean().item()
    spread = 4 * (p * (1 - p) / 100_001) ** 0.5
    assert abs(dropped - p) < 1 / 512 + spread


def test_the_rest_is_scaled_so_that_the_mean_stays():
    x = dropout(torch.full((1000,), 3.0), 0.25)
    assert set(x.tolist()) == {0.0, 4.0}


def test_the_gradient_is_that_of_what_was_kept():
    x = torch.ones(50, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("p", [1e-6, 1 - 1e-6])
def test_an_extreme_probability_stays_inside_its_bounds(p):
    x = dropout(torch.ones(100_000), p)
    assert x.any()
    assert not x.all()


def test_shape_and_dtype_stay():
    x = dropout(torch.ones(3, 1, 5, dtype=torch.bfloat16), 0.5)
    assert (x.shape, x.dtype) == ((3, 1, 5), torch.bfloat16)
    assert dropout(torch.ones(0, 4), 0.5).shape == (0, 4)


def test_nothing_is_dropped_in_eval_mode_or_at_zero():
    x = torch.ones(64)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_the_draws_follow_the_default_generator():
    def drawn():
        torch.manual_seed(5)
        return dropout(torch.ones(100), 0.5)

    assert torch.equal(drawn(), drawn())
