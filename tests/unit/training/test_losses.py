from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from seqrec.training import losses
from seqrec.training.losses import (
    binary_cross_entropy,
    full_cross_entropy,
    gbce_beta,
    item_penalty,
    sampled_cross_entropy,
)


@pytest.fixture
def head():
    """Users [5, 3], vectors [7, 3], biases [7], float64, and targets in 1..7."""
    torch.manual_seed(0)
    tensors = [torch.randn(*shape, dtype=torch.float64) for shape in ((5, 3), (7, 3), (7,))]
    return *(t.requires_grad_() for t in tensors), torch.tensor([1, 7, 3, 3, 5])


def gradients(loss, tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [1, 2, 64])
def test_full_cross_entropy_is_torchs_in_any_chunks(head, smoothing, rows, monkeypatch):
    monkeypatch.setattr(losses, "_chunk_rows", lambda *_: rows)
    *tensors, targets = head
    ours = full_cross_entropy(*tensors, targets, label_smoothing=smoothing)
    users, vectors, biases = tensors
    theirs = F.cross_entropy(
        F.linear(users, vectors, biases), targets - 1, label_smoothing=smoothing
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(ours, tensors), gradients(theirs, tensors))


@pytest.mark.parametrize("rows", [2, 3, 64])  # of the last chunks some have one target, or none
def test_users_beyond_the_targets_are_padding(head, rows, monkeypatch):
    monkeypatch.setattr(losses, "_chunk_rows", lambda *_: rows)
    users, vectors, biases, targets = head
    ours = full_cross_entropy(users, vectors, biases, targets[:2])
    theirs = full_cross_entropy(users[:2], vectors, biases, targets[:2])
    torch.testing.assert_close(ours, theirs)
    tensors = (users, vectors, biases)
    torch.testing.assert_close(gradients(ours, tensors), gradients(theirs, tensors))


def test_the_gradient_of_full_cross_entropy_scales_with_what_follows(head):
    *tensors, targets = head
    once = gradients(full_cross_entropy(*tensors, targets), tensors)
    thrice = gradients(3 * full_cross_entropy(*tensors, targets), tensors)
    torch.testing.assert_close([3 * g for g in once], list(thrice))


def test_full_cross_entropy_computes_in_the_precision_of_autocast(head):
    users, vectors, biases, targets = head
    tensors = [t.detach().float().requires_grad_() for t in (users, vectors, biases)]
    exact = full_cross_entropy(*tensors, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = full_cross_entropy(*tensors, targets)
    assert rounded.dtype == torch.float32
    assert 0 < abs(rounded.item() - exact.item()) < 0.02
    for ours, theirs in zip(gradients(rounded, tensors), gradients(exact, tensors), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.01)


def test_without_targets_a_loss_is_zero_and_its_gradients_are_finite(head):
    users, vectors, biases, _ = head
    none = torch.empty(0, dtype=torch.int64)
    logits, negatives = users[:0, 0], users[:0]
    for loss in (
        full_cross_entropy(users[:0], vectors, biases, none),
        sampled_cross_entropy(logits, negatives, negatives.detach()),
        binary_cross_entropy(logits, negatives),
    ):
        assert loss.item() == 0
        grads = torch.autograd.grad(
            loss, (users, vectors, biases), allow_unused=True, retain_graph=True
        )
        assert all(g is None or not g.any() for g in grads)


def test_sampled_cross_entropy_over_all_other_items_is_the_full_one(head):
    users, vectors, biases, targets = head
    logits = F.linear(users, vectors, biases)
    others = torch.tensor([[c for c in range(1, 8) if c != t] for t in targets.tolist()])
    positive = logits.gather(1, targets.unsqueeze(1) - 1).squeeze(1)
    log_q = torch.full(others.shape, -math.log(6), dtype=torch.float64)
    ours = sampled_cross_entropy(positive, logits.gather(1, others - 1), log_q)
    theirs = full_cross_entropy(users, vectors, biases, targets)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        gradients(ours, (users, vectors)), gradients(theirs, (users, vectors))
    )


def test_sampled_cross_entropy_tends_to_the_full_one_under_a_skewed_draw(head):
    users, vectors, biases, targets = (t[:1] if i in (0, 3) else t for i, t in enumerate(head))
    logits = F.linear(users, vectors, biases).detach()
    q = torch.tensor([0, 0.05, 0.4, 0.05, 0.3, 0.1, 0.1], dtype=torch.float64)  # target is item 1
    drawn = torch.multinomial(q, 200_000, replacement=True).unsqueeze(0)
    ours = sampled_cross_entropy(logits[:, 0], logits.gather(1, drawn), q.log()[drawn])
    theirs = full_cross_entropy(users, vectors, biases, targets)
    assert ours.item() == pytest.approx(theirs.item(), rel=0.01)


def test_binary_cross_entropy_of_a_worked_example():
    positive, negative = torch.tensor([0.0, 2.0]), torch.tensor([[0.0], [-1.0]])
    expected = (2 * math.log(2) + math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert binary_cross_entropy(positive, negative).item() == pytest.approx(expected)


def test_binary_cross_entropy_is_torchs():
    positive, negative = torch.randn(4), torch.randn(4, 3)
    logits = torch.cat([positive.unsqueeze(1), negative], dim=1)
    labels = torch.zeros_like(logits).index_fill_(1, torch.tensor([0]), 1.0)
    expected = F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / 4
    torch.testing.assert_close(binary_cross_entropy(positive, negative), expected)


def test_the_same_negatives_twice_at_half_the_weight_are_the_same_loss():
    positive, negative = torch.randn(4), torch.randn(4, 3)
    twice = torch.cat([negative, negative, torch.full((4, 1), float("-inf"))], dim=1)
    halved = binary_cross_entropy(positive, twice, weight=0.5)
    torch.testing.assert_close(halved, binary_cross_entropy(positive, negative))


def test_binary_cross_entropy_survives_extreme_logits():
    positive = torch.tensor([-1e4], requires_grad=True)
    loss = binary_cross_entropy(positive, torch.tensor([[1e4]]))
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert positive.grad.item() == pytest.approx(-1)


@pytest.mark.parametrize(
    ("t", "expected"), [(0.0, 1.0), (1.0, 0.2), (0.75, 0.2 * (0.75 * (1 - 5) + 5))]
)
def test_beta_goes_from_one_to_the_sampling_rate(t, expected):
    assert gbce_beta(11, 2, t) == pytest.approx(expected)


def test_gbce_raises_the_target_probability_to_beta():
    positive, negative = torch.tensor([0.3]), torch.tensor([[-0.2]])
    plain = binary_cross_entropy(positive, negative)
    expected = plain + (0.25 - 1) * -F.logsigmoid(positive[0])
    torch.testing.assert_close(binary_cross_entropy(positive, negative, beta=0.25), expected)


def test_negatives_that_are_drawn_several_times_raise_beta_above_one():
    assert gbce_beta(11, 20, 1.0) == pytest.approx(2)
    assert gbce_beta(11, 20, 0.0) == 1


def test_the_item_penalty_is_the_sum_of_squares():
    assert item_penalty(torch.tensor([[1.0, 2.0], [3.0, 0.0]])).item() == 14
