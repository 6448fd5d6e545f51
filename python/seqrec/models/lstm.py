"""LSTM: the user vector is a learned weighted sum of the state and of the mean of the history.

At step t, with e_s the vector of item s and h_t the top layer's output (protocol, "The models"):

    m_t = (e_{s_1} + ... + e_{s_t}) / t
    u_t = w_1 P h_t + w_2 m_t                       then LayerNorm and dropout
    logit of item c = <u_t, e_c> + b_c              both tasks, every position

Sequences are padded on the right, where a PAD can reach no earlier state: padding needs no mask.

B batch, C candidates, D embedding_dim, H hidden_size, L length, N items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from seqrec import config as cfg
from seqrec.models.dropout import Dropout
from seqrec.models.items import ItemTable
from seqrec.models.means import running_mean
from seqrec.tokens import PAD


@dataclass(frozen=True, slots=True, kw_only=True)
class LSTMConfig:
    """Sizes and regularisation of the LSTM.

    Attributes:
        embedding_dim: D, the width of item vectors and of the user vector; on next item 512 for
            10,000 to 100,000 items with ten training actions of each or more, on relevance 64 for
            histories of 32 items or fewer, on average, none of them twice, and 200,000 training
            actions or fewer.
        hidden_size: H, the width of the LSTM's state; on relevance 256 for histories so short.
        num_layers: stacked LSTM layers.
        dropout: probability on the LSTM's input and between its layers.
        output_dropout: probability on the user vector; sparse data want less (docs/experiments.md),
            and on relevance it is 0 for such histories.
        layer_norm: whether the user vector is normalised before it meets the items.
    """

    embedding_dim: int = 128
    hidden_size: int = 512
    num_layers: int = 1
    dropout: float = 0.4
    output_dropout: float = 0.4
    layer_norm: bool = True

    def __post_init__(self) -> None:
        cfg.check(self.embedding_dim >= 1, "lstm.embedding_dim", self.embedding_dim, "at least 1")
        cfg.check(self.hidden_size >= 1, "lstm.hidden_size", self.hidden_size, "at least 1")
        cfg.check(self.num_layers >= 1, "lstm.num_layers", self.num_layers, "at least 1")
        for name in ("dropout", "output_dropout"):
            value = getattr(self, name)
            cfg.check(0 <= value < 1, f"lstm.{name}", value, "at least 0 and below 1")


class LSTM(nn.Module):
    """The LSTM on either task.

    Its first weights come from torch's default generator.
    """

    pad_side: Literal["right"] = "right"

    def __init__(self, n_items: int, config: LSTMConfig) -> None:
        super().__init__()
        width, state = config.embedding_dim, config.hidden_size
        self.items = ItemTable(n_items, width)
        self.dropout = Dropout(config.dropout)
        self.output_dropout = Dropout(config.output_dropout)
        self.lstm = nn.LSTM(width, state, batch_first=True)
        # Dropout between layers is ours: cuDNN's has a state of its own, which no checkpoint has.
        upper = (nn.LSTM(state, state, batch_first=True) for _ in range(config.num_layers - 1))
        self.upper = nn.ModuleList(upper)
        self.project = nn.Identity() if state == width else nn.Linear(state, width, bias=False)
        self.state_weight = nn.Parameter(torch.empty(()))  # w_1
        self.mean_weight = nn.Parameter(torch.empty(()))  # w_2
        self.norm = nn.LayerNorm(width) if config.layer_norm else nn.Identity()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Orthogonal recurrence, open forget gates, and w_1 = w_2 = 1/2."""
        self.items.reset_parameters()
        for layer in (self.lstm, *self.upper):
            _reset_layer(layer)
        if isinstance(self.project, nn.Linear):
            nn.init.xavier_uniform_(self.project.weight)
        if isinstance(self.norm, nn.LayerNorm):
            self.norm.reset_parameters()
        nn.init.constant_(self.state_weight, 0.5)
        nn.init.constant_(self.mean_weight, 0.5)

    def forward(self, inputs_BL: Tensor, places_M: Tensor | None = None) -> Tensor:
        """User vectors u_t after each of the items int64 [B, L], padded on the right.

        Returns:
            [B, L, D]; or [M, D] at the given flat places in 0..B*L, which costs less.
        """
        vectors_BLD = self.items(inputs_BL)
        states = vectors_BLD
        for layer in (self.lstm, *self.upper):
            states, _ = layer(self.dropout(states))
        means = running_mean(vectors_BLD, inputs_BL)
        if places_M is not None:
            states, means = states.flatten(0, 1)[places_M], means.flatten(0, 1)[places_M]
        users = self.state_weight * self.project(states) + self.mean_weight * means
        return self.output_dropout(self.norm(users))

    def mixture(self) -> dict[str, float]:
        """The learned w_1 and w_2."""
        return {"w1": self.state_weight.item(), "w2": self.mean_weight.item()}

    def item_weight(self) -> tuple[Tensor, Tensor]:
        """The vectors e_c [N, D] and biases b_c [N] of the items 1..N."""
        return self.items.output()

    def score_next(self, histories_BL: Tensor) -> Tensor:
        """Logits [B, N] of every item to come next; column j is the item j + 1.

        `histories_BL` are items int64 [B, L], padded on the right. An empty history has the zero
        user vector: its scores are the biases.
        """
        return self.items.scores(self._last_users(histories_BL))

    def score_pairs(self, histories_BL: Tensor, candidates_BC: Tensor) -> Tensor:
        """Logits [B, C] of the candidates 1..N after each history; see `score_next`."""
        return self.items.pair_scores(self._last_users(histories_BL), candidates_BC)

    def _last_users(self, histories_BL: Tensor) -> Tensor:
        B, L = histories_BL.shape
        if L == 0:
            return self.items.weight.new_zeros(B, self.items.weight.shape[1])
        lengths_B = (histories_BL != PAD).sum(dim=1)
        starts_B = torch.arange(0, B * L, L, device=histories_BL.device)
        users_BD = self(histories_BL, starts_B + (lengths_B - 1).clamp(min=0))
        return users_BD * (lengths_B > 0).unsqueeze(1)


def _reset_layer(layer: nn.Module) -> None:
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
        if name.startswith("bias_ih"):  # gates are stored as input, forget, cell, output
            nn.init.ones_(parameter.chunk(4)[1])
