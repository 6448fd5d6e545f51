"""The layers of BERT4Rec: self-attention and a feed-forward network (Sun et al., section 3.3).

B batch, D hidden_size, H heads, K = D / H, L length, M places asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.models.dropout import Dropout, dropout

if TYPE_CHECKING:
    from seqrec.models.bert4rec import BERT4RecConfig

SHORT = 128  # tokens of a row


class Attention(nn.Module):
    """Multi-head self-attention over the real tokens of each row (section 3.3), without its W^O.

    What token i reads from token j has a bias of its head for the distance j - i.
    """

    def __init__(self, config: BERT4RecConfig) -> None:
        super().__init__()
        self.n_heads = config.num_heads
        self.dropout = config.attention_dropout
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        n_distances = 2 * config.max_seq_len - 1
        self.distance_bias = nn.Parameter(torch.zeros(n_distances, config.num_heads))

    def forward(self, hidden_BLD: Tensor, seen_B1LL: Tensor) -> Tensor:
        """What each token reads, [B, L, D], from those where the bool [B, 1, L or 1, L] is true."""
        B, L, D = hidden_BLD.shape
        qkv_3BHLK = (
            self.qkv(hidden_BLD)
            .view(B, L, 3, self.n_heads, D // self.n_heads)
            .permute(2, 0, 3, 1, 4)
        )
        query_BHLK, key_BHLK, value_BHLK = qkv_3BHLK.unbind(0)
        bias_HLL = self._bias(L).to(query_BHLK.dtype)
        bias_BHLL = bias_HLL.masked_fill(~seen_B1LL, float("-inf"))
        attend = _attend if _written_is_faster(query_BHLK) else F.scaled_dot_product_attention
        read_BHLK = attend(
            query_BHLK, key_BHLK, value_BHLK,
            attn_mask=bias_BHLL, dropout_p=self.dropout if self.training else 0.0,
        )  # fmt: skip
        return read_BHLK.transpose(1, 2).reshape(B, L, D)

    def _bias(self, length: int) -> Tensor:
        places_L = torch.arange(length, device=self.distance_bias.device)
        distances_LL = places_L - places_L.unsqueeze(1)
        return self.distance_bias[distances_LL + len(self.distance_bias) // 2].permute(2, 0, 1)


class LayerScale(nn.Module):
    """Multiplies each of D values by a learned factor."""

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All factors at the start."""
        nn.init.constant_(self.weight, self.start)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [..., D], scaled."""
        return x * self.weight


class Layer(nn.Module):
    """One Transformer layer: attention, then a feed-forward network, each around LayerNorm."""

    def __init__(self, config: BERT4RecConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.ff_multiplier * config.hidden_size
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(config)
        self.attention_output = nn.Linear(width, width)  # W^O
        self.forward_norm = nn.LayerNorm(width)
        self.forward_inner = nn.Linear(width, inner)
        self.forward_output = nn.Linear(inner, width)
        self.dropout = Dropout(config.dropout)
        self.attention_scale = _scale(config)
        self.forward_scale = _scale(config)

    def forward(
        self, hidden_BLD: Tensor, seen_B1LL: Tensor, places_M: Tensor | None = None
    ) -> Tensor:
        """The next layer's vectors [B, L, D]; or, given flat places in 0..B*L, theirs alone [M, D].

        The work after attention is per place, so a last layer does it only where it is asked for.
        """
        read_BLD = self.attention(self.attention_norm(hidden_BLD), seen_B1LL)
        if places_M is not None:
            hidden_BLD = hidden_BLD.flatten(0, 1)[places_M]
            read_BLD = read_BLD.flatten(0, 1)[places_M]
        added_BLD = self.dropout(self.attention_output(read_BLD))
        hidden_BLD = hidden_BLD + self.attention_scale(added_BLD)
        inner = F.gelu(self.forward_inner(self.forward_norm(hidden_BLD)))
        return hidden_BLD + self.forward_scale(self.dropout(self.forward_output(inner)))


def _scale(config: BERT4RecConfig) -> nn.Module:
    """The factors of one sublayer, if there are any."""
    start = config.layer_scale
    return LayerScale(config.hidden_size, start) if start else nn.Identity()


def _written_is_faster(query_BHLK: Tensor) -> bool:
    """PyTorch's fused attention takes many times as long on a CPU that multiplies by oneDNN.

    In bfloat16 backwards, in float32 without gradients and where rows are shorter than its blocks.
    """
    low, short = query_BHLK.dtype == torch.bfloat16, query_BHLK.shape[-2] <= SHORT
    return query_BHLK.device.type == "cpu" and (low or short)


def _attend(
    query_BHLK: Tensor, key_BHLK: Tensor, value_BHLK: Tensor, *, attn_mask: Tensor, dropout_p: float
) -> Tensor:
    """What F.scaled_dot_product_attention computes, written out (equation 2 of the paper)."""
    products_BHLL = (query_BHLK * query_BHLK.shape[-1] ** -0.5) @ key_BHLK.transpose(-2, -1)
    weights_BHLL = torch.softmax(products_BHLL + attn_mask, dim=-1)
    if dropout_p:
        weights_BHLL = dropout(weights_BHLL, dropout_p)
    return weights_BHLL @ value_BHLK
