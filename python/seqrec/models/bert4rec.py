"""BERT4Rec: a bidirectional Transformer over the history (Sun et al., CIKM 2019, section 3).

Next item is the cloze task (section 3.6): at each MASK the last layer's vector h and the mean m of
the vectors of the items that the row shows make the user vector, which meets every item,

    u = LayerNorm(h + w sqrt(D) m)                  w learned; m as in the LSTM
    logit of item c = <u, e_c> + b_c

and at inference one MASK follows the last item. Relevance reads the history alone: the mean of the
last layer's vectors over its tokens meets the candidate, <mean, e_c> + b_c. With relevance_head =
"inside" the candidate stands in the last place of the row instead, marked by a type vector, and the
mean h over all tokens gives w^T h + b: the weaker head on every data set that was tried
(docs/experiments.md).

# paper: post-LN, positions from the start, a GELU layer before the output, dropout on attention.
# here: pre-LN with a last LayerNorm, positions from the end, output tied to the items directly and
# attention dropout by choice: what the best published replications do, and faster on a CPU. And a
# learned bias of attention for each signed distance (Raffel et al., "T5", JMLR 2020, section 2.1,
# there shared by the layers and in buckets): a hidden item finds its neighbours sooner
# (docs/experiments.md). The mean m is ours: what the item vectors start with counts from the first
# step on, before attention has learned where to look. layer_scale gives what each sublayer adds
# learned factors that start small (Touvron et al., "Going deeper with image transformers", ICCV
# 2021, equation 4).

Sequences are padded on the left; attention sees no PAD and positions count from the last token, so
more padding changes nothing.

B batch, C candidates, D hidden_size, H heads, K = D / H, L length, M places asked for, N items,
P = R / 2 pairs, R rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec import config as cfg
from seqrec.errors import DataError
from seqrec.models.dropout import Dropout, dropout
from seqrec.models.items import ItemTable
from seqrec.tokens import PAD, mask_token

WEIGHT_STD = 0.02  # paper, section 4.1.4
SHORT = 128  # tokens of a row
MOST_TOKENS = 1 << 16  # of a row: attention to more is beyond any memory


@dataclass(frozen=True, slots=True, kw_only=True)
class BERT4RecConfig:
    """Sizes and regularisation of BERT4Rec.

    Attributes:
        hidden_size: D, the width of item vectors and of every layer; 256 with `windows.windows`
            "prefixes", as dropout is 0.2 there, output_dropout 0.3 and layer_scale 0.
        num_layers: Transformer layers.
        num_heads: H attention heads; must divide hidden_size.
        ff_multiplier: width of the feed-forward layer over hidden_size.
        dropout: probability on the input vectors and on the output of every sublayer; 0.5 for
            relevance where histories are short and nobody takes an item twice.
        output_dropout: probability on the vectors that meet the items (docs/experiments.md).
        attention_dropout: probability on attention weights; above 0 a CPU loses its fused kernel.
        layer_scale: what the learned factors on the output of every sublayer start from, one for
            each of its D values; 0: there are none.
        max_seq_len: most tokens in a row, MASK and candidate included.
        relevance_head: where a relevance candidate meets the history: after the layers, against
            the "pooled" history, or "inside" them. Next item does not use it.
    """

    hidden_size: int = 128
    num_layers: int = 2
    num_heads: int = 4
    ff_multiplier: int = 4
    dropout: float = 0.0
    output_dropout: float = 0.0
    attention_dropout: float = 0.0
    layer_scale: float = 0.0
    max_seq_len: int = 32
    relevance_head: Literal["inside", "pooled"] = "pooled"

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers", "num_heads", "ff_multiplier"):
            value = getattr(self, name)
            cfg.check(value >= 1, f"bert4rec.{name}", value, "at least 1")
        cfg.check(
            self.hidden_size % self.num_heads == 0,
            "bert4rec.num_heads", self.num_heads, f"a divisor of hidden_size {self.hidden_size}",
        )  # fmt: skip
        for name in ("dropout", "output_dropout", "attention_dropout"):
            value = getattr(self, name)
            cfg.check(0 <= value < 1, f"bert4rec.{name}", value, "at least 0 and below 1")
        scale = self.layer_scale
        cfg.check(0 <= scale <= 1, "bert4rec.layer_scale", scale, "at least 0 and at most 1")
        length = self.max_seq_len
        rule = f"from 2 to {MOST_TOKENS}, as windows.max_seq_len"
        cfg.check(2 <= length <= MOST_TOKENS, "bert4rec.max_seq_len", length, rule)
        allowed = ("inside", "pooled")
        cfg.check(
            self.relevance_head in allowed,
            "bert4rec.relevance_head", self.relevance_head, f"one of {allowed}",
        )  # fmt: skip


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

    def forward(self, hidden_BLD: Tensor, keys_B11L: Tensor) -> Tensor:
        """What each token reads from the tokens where the bool [B, 1, 1, L] is true: [B, L, D]."""
        B, L, D = hidden_BLD.shape
        qkv_3BHLK = (
            self.qkv(hidden_BLD)
            .view(B, L, 3, self.n_heads, D // self.n_heads)
            .permute(2, 0, 3, 1, 4)
        )
        query_BHLK, key_BHLK, value_BHLK = qkv_3BHLK.unbind(0)
        bias_HLL = self._bias(L).to(query_BHLK.dtype)
        bias_BHLL = bias_HLL.masked_fill(~keys_B11L, float("-inf"))
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
        self, hidden_BLD: Tensor, keys_B11L: Tensor, places_M: Tensor | None = None
    ) -> Tensor:
        """The next layer's vectors [B, L, D]; or, given flat places in 0..B*L, theirs alone [M, D].

        The work after attention is per place, so a last layer does it only where it is asked for.
        """
        read_BLD = self.attention(self.attention_norm(hidden_BLD), keys_B11L)
        if places_M is not None:
            hidden_BLD = hidden_BLD.flatten(0, 1)[places_M]
            read_BLD = read_BLD.flatten(0, 1)[places_M]
        added_BLD = self.dropout(self.attention_output(read_BLD))
        hidden_BLD = hidden_BLD + self.attention_scale(added_BLD)
        inner = F.gelu(self.forward_inner(self.forward_norm(hidden_BLD)))
        return hidden_BLD + self.forward_scale(self.dropout(self.forward_output(inner)))


class BERT4Rec(nn.Module):
    """BERT4Rec for one task: "next_item" or "relevance".

    Its first weights come from torch's default generator.
    """

    pad_side: Literal["left"] = "left"

    def __init__(
        self, n_items: int, config: BERT4RecConfig, task: Literal["next_item", "relevance"]
    ) -> None:
        super().__init__()
        if task not in ("next_item", "relevance"):
            raise cfg.unknown_value("task", task, ("next_item", "relevance"))
        width = config.hidden_size
        self.mask_token = mask_token(n_items)
        self.candidate_inside = task == "relevance" and config.relevance_head == "inside"
        self.pooled = task == "relevance"
        self.items = ItemTable(n_items, width, n_added=1, bias=not self.candidate_inside)
        self.positions = nn.Parameter(torch.empty(config.max_seq_len, width))  # row 0: last token
        self.dropout = Dropout(config.dropout)
        self.output_dropout = Dropout(config.output_dropout)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(width)
        if not self.pooled:
            self.mean_weight = nn.Parameter(torch.empty(()))  # w
            self.user_norm = nn.LayerNorm(width)
        if self.candidate_inside:
            self.candidate_type = nn.Parameter(torch.empty(width))
            self.relevance = nn.Linear(width, 1)  # w and b
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal weights (std 0.02), zero biases, identity norms, scales at the option, w = 1/2."""
        self.items.reset_parameters()
        nn.init.normal_(self.positions, std=WEIGHT_STD)
        if not self.pooled:
            nn.init.constant_(self.mean_weight, 0.5)
        if self.candidate_inside:
            nn.init.normal_(self.candidate_type, std=WEIGHT_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=WEIGHT_STD)
                nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.LayerNorm, LayerScale)):
                module.reset_parameters()
            elif isinstance(module, Attention):
                nn.init.zeros_(module.distance_bias)

    @property
    def max_seq_len(self) -> int:
        """The most tokens in a row."""
        return len(self.positions)

    def forward(self, tokens_BL: Tensor, places_M: Tensor | None = None) -> Tensor:
        """Next item: user vectors u at int64 tokens [B, L], padded on the left, MASKs included.

        Returns:
            [B, L, D]; or [M, D] at the given flat places in 0..B*L, which costs less.

        Raises:
            DataError: if a row is longer than max_seq_len.
        """
        L, vectors_BLD = tokens_BL.shape[1], self.items(tokens_BL)
        hidden = self._encode(tokens_BL, vectors_BLD + self._position_vectors(L), places_M)
        shown_BL = (tokens_BL != PAD) & (tokens_BL != self.mask_token)
        scale = self.mean_weight * self.positions.shape[1] ** 0.5
        means_BD = scale * _mean(vectors_BLD, shown_BL)
        means = means_BD.unsqueeze(1) if places_M is None else means_BD[places_M // L]
        return self.output_dropout(self.user_norm(hidden + means))

    def pair_logits(self, tokens_RL: Tensor) -> Tensor:
        """Relevance logits [R] of rows of int64 tokens [R, L] whose last token is the candidate.

        Rows 2i and 2i + 1 have one history, as those of a `RelevancePairBatch`: a candidate that
        stays outside leaves it to be read once.
        """
        if not self.candidate_inside:
            users_PD = self._pooled_history(tokens_RL[::2, :-1])
            return self.items.pair_scores(users_PD, tokens_RL[:, -1].view(-1, 2)).flatten()
        positions_LD = self._position_vectors(tokens_RL.shape[1])
        marked_LD = torch.cat([positions_LD[:-1], positions_LD[-1:] + self.candidate_type])
        hidden_RLD = self._encode(tokens_RL, self.items(tokens_RL) + marked_LD)
        return self.relevance(_mean(hidden_RLD, tokens_RL != PAD)).squeeze(1)

    def mixture(self) -> dict[str, float]:
        """The learned w of next item; relevance has none."""
        return {} if self.pooled else {"w": self.mean_weight.item()}

    def item_weight(self) -> tuple[Tensor, Tensor]:
        """The vectors e_c [N, D] and biases b_c [N] of the items 1..N.

        Raises:
            DataError: for a relevance model whose candidates are inside its input.
        """
        return self.items.output()

    def score_next(self, histories_BL: Tensor) -> Tensor:
        """Logits [B, N] of every item to come next; column j is the item j + 1.

        `histories_BL` are items int64 [B, L], padded on the left; the last max_seq_len - 1 are
        read. An empty history is a lone MASK (next item) or the zero vector (pooled relevance).

        Raises:
            DataError: for a relevance model whose candidates are inside its input.
        """
        self.items.output()
        return self.items.scores(self._users(histories_BL))

    def score_pairs(self, histories_BL: Tensor, candidates_BC: Tensor) -> Tensor:
        """Logits [B, C] of the candidates 1..N after each history; see `score_next`."""
        if not self.candidate_inside:
            return self.items.pair_scores(self._users(histories_BL), candidates_BC)
        histories_BL = self._readable(histories_BL)
        columns = candidates_BC.unsqueeze(2).unbind(1)  # one candidate at a time: memory of B rows
        logits = [self.pair_logits(torch.cat([histories_BL, one], dim=1)) for one in columns]
        return torch.stack(logits, dim=1) if logits else candidates_BC.float()

    def _users(self, histories_BL: Tensor) -> Tensor:
        """The vectors [B, D] that meet the items."""
        histories_BL = self._readable(histories_BL)
        if self.pooled:
            return self._pooled_history(histories_BL)
        tokens_BL = F.pad(histories_BL, (0, 1), value=self.mask_token)
        B, L = tokens_BL.shape
        return self(tokens_BL, torch.arange(L - 1, B * L, L, device=tokens_BL.device))

    def _pooled_history(self, histories_BL: Tensor) -> Tensor:
        positions_LD = self._position_vectors(histories_BL.shape[1])
        hidden_BLD = self._encode(histories_BL, self.items(histories_BL) + positions_LD)
        return self.output_dropout(_mean(hidden_BLD, histories_BL != PAD))

    def _readable(self, histories_BL: Tensor) -> Tensor:
        return histories_BL[:, -(self.max_seq_len - 1) :]

    def _position_vectors(self, length: int) -> Tensor:
        """Vectors of the places of a row [L, D], in reading order: the last row is position 0."""
        if length > self.max_seq_len:
            raise DataError(
                f"a row of {length} tokens does not fit: raise windows.max_seq_len "
                f"({self.max_seq_len})"
            )
        return self.positions[:length].flip(0)

    def _encode(
        self, tokens_BL: Tensor, vectors_BLD: Tensor, places_M: Tensor | None = None
    ) -> Tensor:
        """The last layer's vectors, given those of the tokens with their positions added."""
        real_BL = tokens_BL != PAD
        # A row without any token attends to all its PADs: softmax over nothing would be NaN.
        keys_B11L = (real_BL | ~real_BL.any(dim=1, keepdim=True))[:, None, None, :]
        hidden = self.dropout(vectors_BLD)
        for layer in self.layers[:-1]:
            hidden = layer(hidden, keys_B11L)
        return self.norm(self.layers[-1](hidden, keys_B11L, places_M))


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


def _mean(vectors_BLD: Tensor, wanted_BL: Tensor) -> Tensor:
    """The mean over the places where the bool [B, L] is true: [B, D]; zero where there is none."""
    wanted = wanted_BL.to(vectors_BLD.dtype)
    share_BL = wanted / wanted.sum(dim=1, keepdim=True).clamp(min=1)
    return (share_BL.unsqueeze(1) @ vectors_BLD).squeeze(1)
