"""Losses: pure functions of tensors, each the mean over its targets.

T targets, D width, N items, n negatives of a target. Without any target a loss is 0, and so are its
gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_LOGITS = 1 << 25  # logits held at a time, 128 MiB in float32
CPU_CHUNK_ROWS = 128  # and on a CPU no more rows than its cache holds


def full_cross_entropy(
    users_TD: Tensor,
    vectors_ND: Tensor,
    bias_N: Tensor,
    targets_T: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax over all items 1..N of the logits <u, e_c> + b_c, at the targets (int64 ids).

    Users beyond the targets, if there are any, are padding: no loss, a gradient of zero.

    With `label_smoothing` s, the target has the share 1 - s and all items share s alike.

    The logits exist a chunk of rows at a time, and the gradient is taken with them: memory is
    O(T D + N D) instead of O(T N), and a CPU finds the logits in its cache (measured at T 6,400,
    N 3,416, D 128, one thread: 206 ms instead of 370). Under autocast the products are in its
    precision; softmax and sums are float32 all the same.
    """
    columns_T = targets_T - 1

    def judge(logits_RN: Tensor, rows: slice) -> tuple[Tensor, Tensor, None]:
        columns_R = columns_T[rows]
        return *_cross_entropy_rows(logits_RN, columns_R, label_smoothing, bias_N.dtype), None

    return _mean_in_chunks(judge, len(targets_T), users_TD, vectors_ND, bias_N)


def loss_against_drawn(
    loss: Callable[[Tensor, Tensor], Tensor],
    users_TD: Tensor,
    vectors_KD: Tensor,
    bias_K: Tensor,
    drawn_K: Tensor,
    targets_T: Tensor,
    positive_T: Tensor,
) -> Tensor:
    """Mean over the targets of a loss against the same K drawn items; none is a negative of itself.

    Logits, gradients and padding are as in `full_cross_entropy`: memory is O(T D + K D).

    Args:
        loss: of logits of targets [R] and of their negatives [R, K], -inf for none; a mean.
        users_TD: one for each target, then padding.
        vectors_KD: of the drawn items.
        bias_K: of the drawn items.
        drawn_K: their ids.
        targets_T: ids of the targets.
        positive_T: logits of the targets.
    """

    def judge(logits_RK: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        itself_RK = drawn_K == targets_T[rows].unsqueeze(1)
        with torch.enable_grad():
            negative_RK = logits_RK.float().masked_fill(itself_RK, float("-inf")).requires_grad_()
            positive_R = positive_T[rows].detach().requires_grad_()
            total = len(positive_R) * loss(positive_R, negative_RK)
        pull_RK, pull_R = torch.autograd.grad(total, (negative_RK, positive_R))
        return total.detach(), pull_RK, pull_R

    return _mean_in_chunks(judge, len(targets_T), users_TD, vectors_KD, bias_K, positive_T)


def sampled_cross_entropy(positive_T: Tensor, negative_Tn: Tensor, log_q_Tn: Tensor) -> Tensor:
    """Softmax of each target against its n sampled negatives, corrected for how they were drawn.

    -log( exp(s+) / ( exp(s+) + (1/n) sum_j exp(s_j) / q_j ) ): the sum over negatives estimates the
    full one without bias, so that the loss tends to `full_cross_entropy` as n grows.

    # usual: log q is subtracted from the target's logit too; here: not, because the target is
    # always there and is drawn from no q (Bengio and Senecal, 2008).

    Args:
        positive_T: logits of the targets [T].
        negative_Tn: logits of the negatives [T, n]; -inf for a draw that is the target itself.
        log_q_Tn: log-probability of each negative under one draw [T, n] or [1, n].
    """
    n_negatives = negative_Tn.shape[1]
    corrected_Tn = negative_Tn - log_q_Tn - math.log(n_negatives)
    all_T1n = torch.cat([positive_T.unsqueeze(1), corrected_Tn], dim=1)
    return _mean(all_T1n.logsumexp(dim=1) - positive_T)


def binary_cross_entropy(
    positive_T: Tensor, negative_Tn: Tensor, *, weight: float | Tensor = 1.0, beta: float = 1.0
) -> Tensor:
    """Mean over the targets of -beta log sigma(s+) - weight sum_j log(1 - sigma(s_j)).

    beta 1 is plain binary cross-entropy; below 1, with `gbce_beta`, it is gBCE: Petrov and
    Macdonald, "gSASRec", RecSys 2023, section 5.

    # paper: divided by the number of terms; here: not, as the more negatives there are, the nearer
    # to AdamW's eps the gradients would be.

    Args:
        positive_T: logits of the targets [T].
        negative_Tn: logits of their negatives [T, n]; -inf is none.
        weight: of each negative, or of those of each target [T]: below 1 where more stand for
            fewer.
        beta: power of the target's probability.
    """
    taken_T = -beta * F.logsigmoid(positive_T)
    refused_T = -F.logsigmoid(-negative_Tn).sum(dim=1)
    return _mean(taken_T + weight * refused_T)


def gbce_beta(n_items: int, n_negatives: int, t: float) -> float:
    """The beta of gBCE: alpha (t (1 - 1/alpha) + 1/alpha), for the rate alpha = n / (N - 1).

    t = 0 leaves the over-confidence of sampling as it is (beta 1), t = 1 removes it (beta alpha).
    """
    return 1 - t + t * n_negatives / (n_items - 1)


def item_penalty(vectors_ND: Tensor) -> Tensor:
    """The protocol's L2 term without its lambda: the sum over the items of ||e_c||^2."""
    return vectors_ND.square().sum()


def _mean(losses_T: Tensor) -> Tensor:
    return losses_T.sum() / max(len(losses_T), 1)


# Of the logits of some targets and where they stand: the summed loss, and its gradients by these
# logits and by those of the targets, if they are apart.
_Judge = Callable[[Tensor, slice], tuple[Tensor, Tensor, Tensor | None]]


def _mean_in_chunks(
    judge: _Judge,
    n_targets: int,
    users_TD: Tensor,
    vectors_ND: Tensor,
    bias_N: Tensor,
    positive_T: Tensor | None = None,
) -> Tensor:
    device = users_TD.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else users_TD.dtype
    total = _SumInChunks.apply(users_TD, vectors_ND, bias_N, positive_T, judge, n_targets, low)
    return total / max(n_targets, 1)


class _SumInChunks(torch.autograd.Function):
    """The sum over targets of a loss of their logits, and its gradients in the same pass."""

    @staticmethod
    def forward(
        ctx: Any,
        users_TD: Tensor,
        vectors_ND: Tensor,
        bias_N: Tensor,
        positive_T: Tensor | None,
        judge: _Judge,
        n_targets: int,
        low: torch.dtype,
    ) -> Tensor:
        grad_users = torch.empty_like(users_TD)
        grad_vectors = torch.zeros_like(vectors_ND)
        grad_bias = torch.zeros_like(bias_N)
        grad_positive = None if positive_T is None else torch.empty_like(positive_T)
        total = torch.zeros((), dtype=bias_N.dtype, device=users_TD.device)
        users_low, vectors_low, bias_low = (t.to(low) for t in (users_TD, vectors_ND, bias_N))
        size = _chunk_rows(users_TD.device, len(bias_N))
        with torch.autocast(users_TD.device.type, enabled=False):
            for start in range(0, len(users_low), size):
                users, grad = users_low[start : start + size], grad_users[start : start + size]
                rows = slice(start, max(min(start + size, n_targets), start))
                logits = torch.addmm(bias_low, users, vectors_low.T)[: rows.stop - start]
                loss, pull, pull_positive = judge(logits, rows)
                total += loss
                if grad_positive is not None and pull_positive is not None:
                    grad_positive[rows] = pull_positive
                grad_bias += pull.sum(dim=0)
                pull = pull.to(low)
                if len(pull) < len(users):
                    pull = F.pad(pull, (0, 0, 0, len(users) - len(pull)))
                grad.copy_(pull @ vectors_low)
                grad_vectors += pull.T @ users
        ctx.save_for_backward(grad_users, grad_vectors, grad_bias, grad_positive)
        return total

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the stub names no argument
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        (scale,) = grads
        pulls = (None if grad is None else grad * scale for grad in ctx.saved_tensors)
        return (*pulls, None, None, None)


def _cross_entropy_rows(
    logits_RN: Tensor, columns_R: Tensor, smoothing: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The summed loss of some rows, and its gradient by their logits [R, N], both as `dtype`."""
    columns_R1 = columns_R.unsqueeze(1)
    softmax_RN = torch.softmax(logits_RN, dim=1, dtype=dtype)
    # log sum exp = logit - log softmax at any item; at the largest, softmax cannot underflow.
    log_sum_R = logits_RN.amax(dim=1).to(dtype) - softmax_RN.amax(dim=1).log()
    target_R = logits_RN.gather(1, columns_R1).squeeze(1).to(dtype)
    if smoothing:
        target_R = torch.lerp(target_R, logits_RN.mean(dim=1, dtype=dtype), smoothing)
        softmax_RN -= smoothing / logits_RN.shape[1]
    share_R1 = torch.full_like(columns_R1, smoothing - 1, dtype=dtype)
    return (log_sum_R - target_R).sum(), softmax_RN.scatter_add_(1, columns_R1, share_R1)


def _chunk_rows(device: torch.device, n_items: int) -> int:
    rows = max(CHUNK_LOGITS // n_items, 1)
    return min(rows, CPU_CHUNK_ROWS) if device.type == "cpu" else rows
