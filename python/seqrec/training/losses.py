"""Losses: pure functions of tensors, each the mean over its targets.

T targets, D width, N items, n negatives of a target. Without any target a loss is 0, and so are its
gradients.
"""

from __future__ import annotations

import math
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
    device = users_TD.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else users_TD.dtype
    total = _CrossEntropySum.apply(
        users_TD, vectors_ND, bias_N, targets_T - 1, label_smoothing, low
    )
    return total / max(len(targets_T), 1)


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


class _CrossEntropySum(torch.autograd.Function):
    """The sum over targets of the cross-entropy, and its gradients in the same pass."""

    @staticmethod
    def forward(
        ctx: Any,
        users_TD: Tensor,
        vectors_ND: Tensor,
        bias_N: Tensor,
        columns_T: Tensor,
        smoothing: float,
        low: torch.dtype,
    ) -> Tensor:
        grad_users = torch.empty_like(users_TD)
        grad_vectors = torch.zeros_like(vectors_ND)
        grad_bias = torch.zeros_like(bias_N)
        total = torch.zeros((), dtype=bias_N.dtype, device=users_TD.device)
        users_low, vectors_low, bias_low = (t.to(low) for t in (users_TD, vectors_ND, bias_N))
        rows = _chunk_rows(users_TD.device, len(bias_N))
        with torch.autocast(users_TD.device.type, enabled=False):
            for start in range(0, len(users_low), rows):
                users, grad = users_low[start : start + rows], grad_users[start : start + rows]
                columns = columns_T[start : start + rows]
                logits = torch.addmm(bias_low, users, vectors_low.T)[: len(columns)]
                loss, pull = _cross_entropy_rows(logits, columns, smoothing, bias_N.dtype)
                total += loss
                grad_bias += pull.sum(dim=0)
                pull = pull.to(low)
                if len(pull) < len(users):
                    pull = F.pad(pull, (0, 0, 0, len(users) - len(pull)))
                grad.copy_(pull @ vectors_low)
                grad_vectors += pull.T @ users
        ctx.save_for_backward(grad_users, grad_vectors, grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the stub names no argument
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        (scale,) = grads
        return (*(grad * scale for grad in ctx.saved_tensors), None, None, None)


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
