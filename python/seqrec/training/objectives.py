"""Objectives: (model, batch) -> loss, one for each model and task.

Each is the mean over the batch's targets plus the L2 term of the protocol, once a step. Targets are
gathered before the head, so that no work is spent on padding or on positions without a target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec import config as cfg
from seqrec.batches import RelevanceSequenceBatch
from seqrec.errors import ConfigError
from seqrec.tokens import IGNORE, PAD
from seqrec.training.losses import (
    binary_cross_entropy,
    full_cross_entropy,
    gbce_beta,
    item_penalty,
    sampled_cross_entropy,
)

BLOCK = 128  # of a row's positions share their negatives: memory stays in proportion to the row
PLACES = 32  # a CPU gets a multiple of this many places: few sizes of matrices


class Model(Protocol):
    """What an objective asks of either model; see `seqrec.models`.

    The third argument is for rows with prefixes alone.
    """

    items: Any

    def __call__(self, tokens: Tensor, places: Tensor, /, *prefixes: Tensor) -> Tensor: ...  # noqa: D102

    def item_weight(self) -> tuple[Tensor, Tensor]: ...  # noqa: D102


class PairModel(Model, Protocol):
    """A model that reads the candidate in the last place of a row."""

    def pair_logits(self, tokens: Tensor, /) -> Tensor: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """What a step minimises.

    Attributes:
        loss: next item: "ce" over the whole catalogue, or against the sampled negatives of the
            whole batch "sampled_ce", "bce" or "gbce"; relevance: "bce".
        l2: lambda of the sum over the items of ||e_c||^2.
        label_smoothing: share of the target that all items get; "ce" alone, and 0.3 there with
            `windows.windows` "prefixes" of data in which nobody takes an item twice.
        gbce_t: calibration t of "gbce".
    """

    loss: Literal["ce", "sampled_ce", "bce", "gbce"] = "ce"
    l2: float = 0.0
    label_smoothing: float = 0.0
    gbce_t: float = 0.75

    def __post_init__(self) -> None:
        losses = ("ce", "sampled_ce", "bce", "gbce")
        cfg.check(self.loss in losses, "objective.loss", self.loss, f"one of {losses}")
        finite = 0 <= self.l2 < float("inf")
        cfg.check(finite, "objective.l2", self.l2, "a finite number, at least 0")
        smoothing = self.label_smoothing
        cfg.check(
            0 <= smoothing < 1, "objective.label_smoothing", smoothing, "at least 0 and below 1"
        )
        cfg.check(
            smoothing == 0 or self.loss == "ce",
            "objective.label_smoothing", smoothing, "0 unless the loss is 'ce'",
        )  # fmt: skip
        cfg.check(0 <= self.gbce_t <= 1, "objective.gbce_t", self.gbce_t, "from 0 to 1")
        cfg.check(
            self.gbce_t == 0.75 or self.loss == "gbce",
            "objective.gbce_t", self.gbce_t, "left out unless the loss is 'gbce'",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The negatives of a sampled loss.

    Attributes:
        log_q: item ids -> log-probability of one draw: `Negatives.log_q`.
        negatives: that each target stands against: those of a full batch of all ranks.
    """

    log_q: Callable[[Tensor], Tensor]
    negatives: int


@dataclass(frozen=True, slots=True)
class StepLoss:
    """The loss of a step.

    Attributes:
        value: the mean over the targets plus the L2 term; a scalar tensor.
        targets: how many terms the mean has.
    """

    value: Tensor
    targets: int


Objective = Callable[[Any, Any], StepLoss]


def make_objective(
    config: ObjectiveConfig,
    model: Literal["lstm", "bert4rec"],
    task: Literal["next_item", "relevance"],
    *,
    sampling: Sampling | None = None,
) -> Objective:
    """The objective of a model and task.

    Args:
        config: the loss and its options.
        model: which model is trained.
        task: on which task.
        sampling: the negatives, for any other loss of next item than "ce".

    Raises:
        ConfigError: for a loss that the task does not have, or a sampled one without `sampling`.
    """
    objectives: dict[tuple[str, str], Callable[..., StepLoss]] = {
        ("lstm", "next_item"): next_item,
        ("bert4rec", "next_item"): cloze,
        ("lstm", "relevance"): relevance_sequences,
        ("bert4rec", "relevance"): relevance,
    }
    if (model, task) not in objectives:
        raise ConfigError(f"no objective for model {model!r} on task {task!r}")
    if task == "relevance":
        cfg.check(config.loss == "bce", "objective.loss", config.loss, "'bce' for relevance")
        return partial(objectives[model, task], config=config)
    cfg.check(
        config.loss == "ce" or sampling is not None,
        "objective.loss", config.loss, "given with the sampling of its negatives",
    )  # fmt: skip
    return partial(objectives[model, task], config=config, sampling=sampling)


def next_item(
    model: Model, batch: Any, *, config: ObjectiveConfig, sampling: Sampling | None = None
) -> StepLoss:
    """LSTM: every position predicts the item after it; `batch` is a NextItemBatch."""
    return _catalogue_loss(model, batch.inputs, batch.targets, batch, config, sampling)


def cloze(
    model: Model, batch: Any, *, config: ObjectiveConfig, sampling: Sampling | None = None
) -> StepLoss:
    """BERT4Rec: masked positions predict their item; `batch` is a ClozeBatch."""
    return _catalogue_loss(model, batch.tokens, batch.labels, batch, config, sampling)


def relevance(model: Any, batch: Any, *, config: ObjectiveConfig) -> StepLoss:
    """BERT4Rec: by the rows that its head has."""
    judge = relevance_sequences if isinstance(batch, RelevanceSequenceBatch) else relevance_pairs
    return judge(model, batch, config=config)


def relevance_sequences(model: Model, batch: Any, *, config: ObjectiveConfig) -> StepLoss:
    """Positions with a positive, each against all negatives of its row: a RelevanceSequenceBatch.

    The user has taken none of the n negatives of a row, so the mean over them stands at each
    position for the one that was drawn for it: the same expectation, with less noise. A row of more
    than BLOCK positions has them in blocks of so many.
    """
    n_positives = batch.n_targets // 2
    places_M = _places(batch.positives != PAD, n_positives)
    prefixes = () if batch.prefixes is None else (batch.prefixes,)
    users_MD = model(batch.inputs, _padded(places_M), *prefixes)[:n_positives]
    positives_M1 = batch.positives.flatten()[places_M].unsqueeze(1)
    positive_M = model.items.pair_scores(users_MD, positives_M1).float().flatten()
    negative_MK, n_M = _against_blocks(model, users_MD, places_M, batch)
    loss = binary_cross_entropy(positive_M, negative_MK, weight=1 / n_M) / 2
    return _step_loss(loss, 2 * n_positives, model, config)


def _against_blocks(
    model: Model, users_MD: Tensor, places_M: Tensor, batch: Any
) -> tuple[Tensor, Tensor]:
    """Logits [M, K] of the negatives in the block of each place, -inf for PAD; and their number.

    G blocks of K positions; the last one of a row is padded.
    """
    width = batch.positives.shape[1]
    block = min(width, BLOCK)
    missing = -width % block
    positives_GK, negatives_GK = (
        F.pad(items_BW, (0, missing)).view(-1, block)
        for items_BW in (batch.positives, batch.negatives)
    )
    places_M = places_M + places_M // width * missing
    n_blocks, D = len(positives_GK), users_MD.shape[1]
    users = users_MD.new_zeros(n_blocks * block, D).index_copy(0, places_M, users_MD)
    users_GKD = users.view(n_blocks, block, D)
    scores_MK = model.items.row_scores(users_GKD, negatives_GK).flatten(0, 1)[places_M].float()
    real_MK = positives_GK[places_M // block] != PAD
    # As floats, since 1 / n of integers has whatever dtype the caller has set.
    n_M = real_MK.sum(dim=1, dtype=scores_MK.dtype)
    return scores_MK.masked_fill(~real_MK, float("-inf")), n_M


def relevance_pairs(model: PairModel, batch: Any, *, config: ObjectiveConfig) -> StepLoss:
    """Rows with a candidate in the last place; `batch` is a RelevancePairBatch."""
    logits_R = model.pair_logits(batch.tokens).float()
    total = F.binary_cross_entropy_with_logits(logits_R, batch.labels, reduction="sum")
    return _step_loss(total / max(len(logits_R), 1), len(logits_R), model, config)


def _catalogue_loss(
    model: Model,
    tokens_BL: Tensor,
    labels_BL: Tensor,
    batch: Any,
    config: ObjectiveConfig,
    sampling: Sampling | None,
) -> StepLoss:
    places_M = _places(labels_BL != IGNORE, batch.n_targets)
    targets_M = labels_BL.flatten()[places_M]
    users_PD = model(tokens_BL, _padded(places_M))
    if config.loss == "ce":
        loss = full_cross_entropy(
            users_PD, *model.item_weight(), targets_M, label_smoothing=config.label_smoothing
        )
    else:
        assert sampling is not None  # make_objective asks for it
        users_MD, drawn_K = users_PD[: len(places_M)], batch.negatives.flatten()
        loss = _sampled_loss(model, users_MD, targets_M, drawn_K, config, sampling)
    return _step_loss(loss, len(places_M), model, config)


def _sampled_loss(
    model: Model,
    users_MD: Tensor,
    targets_M: Tensor,
    drawn_K: Tensor,
    config: ObjectiveConfig,
    sampling: Sampling,
) -> Tensor:
    """The negatives of all rows stand against each target: many for little, in one product.

    What was drawn for one user may be a known positive of another, as in the full softmax; a target
    is no negative of its own (docs/architecture.md). Where there are fewer of them, in an epoch's
    last batch or in a rank's share, they weigh as much in a binary loss.
    """
    vectors_ND, bias_N = model.item_weight()
    positive_M = model.items.pair_scores(users_MD, targets_M.unsqueeze(1)).squeeze(1).float()
    scores_MK = users_MD @ model.items(drawn_K).T + bias_N[drawn_K - 1]
    itself_MK = drawn_K == targets_M.unsqueeze(1)
    negative_MK = scores_MK.float().masked_fill(itself_MK, float("-inf"))
    if config.loss == "sampled_ce":
        return sampled_cross_entropy(positive_M, negative_MK, sampling.log_q(drawn_K).unsqueeze(0))
    weight, beta = sampling.negatives / max(len(drawn_K), 1), 1.0
    if config.loss == "gbce":
        beta = gbce_beta(len(vectors_ND), sampling.negatives, config.gbce_t)
    return binary_cross_entropy(positive_M, negative_MK, weight=weight, beta=beta)


def _step_loss(loss: Tensor, targets: int, model: Model, config: ObjectiveConfig) -> StepLoss:
    if config.l2:
        loss = loss + config.l2 * item_penalty(model.items.vectors)
    return StepLoss(loss, targets)


def _places(wanted_BL: Tensor, count: int) -> Tensor:
    """Flat places in 0..B*L where `wanted_BL` is true; `count` of them, known to the host.

    A GPU would have to be waited for to learn their number.
    """
    wanted = wanted_BL.flatten()
    if wanted.is_cuda:
        return torch.nonzero_static(wanted, size=count).squeeze(1)
    return wanted.nonzero().squeeze(1)


def _padded(places_M: Tensor) -> Tensor:
    """The places and, on a CPU, the first one again until they are a multiple of PLACES.

    oneDNN compiles each matrix product for its sizes and keeps a thousand of them: a number of
    places that differed in every step cost BERT4Rec 1.8 GB and a fifth of its time.
    """
    if places_M.device.type != "cpu" or not len(places_M):
        return places_M
    missing = -len(places_M) % PLACES
    return torch.cat([places_M, places_M[:1].expand(missing)]) if missing else places_M
