"""BERT4Rec: a bidirectional Transformer over the history (Sun et al., CIKM 2019, section 3).

Next item is the cloze task (section 3.6): at each MASK the last layer's vector h and the mean m of
the vectors of the items that the row shows make the user vector, which meets every item,

    u = LayerNorm(h + w sqrt(D) m)                  w learned; m as in the LSTM
    logit of item c = <u, e_c> + b_c

and at inference one MASK follows the last item. Relevance reads the history alone, and
relevance_head says what of it meets the candidate c. "pooled": <mean of the last layer's vectors,
e_c> + b_c. "last": the u of above at the last item, with the mean up to there. "inside": c stands
in the last place of the row instead, marked by a type vector, and the mean h over all tokens gives
w^T h + b: the weaker head on every data set that was tried (docs/experiments.md).

A row of "pooled" or "inside" has one target. One of "last" is a prefix, which is read both ways,
and what follows it, where an item sees those before it alone (a "prefix LM": Raffel et al., "T5",
JMLR 2020, section 3.2.1): so each item from the prefix' last one on predicts its next. At inference
all is prefix. As each place predicts, none has a position of its own; distances have a bias.

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

B batch, C candidates, D hidden_size, L length, M places asked for, N items,
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
from seqrec.models.dropout import Dropout
from seqrec.models.items import ItemTable
from seqrec.models.means import mean, running_mean
from seqrec.models.transformer import Attention, Layer, LayerScale
from seqrec.tokens import PAD, mask_token

WEIGHT_STD = 0.02  # paper, section 4.1.4
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
            relevance where histories are short and nobody takes an item twice; 0.1 with the head
            "last", as output_dropout is 0.4 there.
        token_dropout: probability that a token of a training row is read without its item's vector;
            what is hidden or to be judged keeps it.
        output_dropout: probability on the vectors that meet the items (docs/experiments.md).
        attention_dropout: probability on attention weights; above 0 a CPU loses its fused kernel.
        layer_scale: what the learned factors on the output of every sublayer start from, one for
            each of its D values; 0: there are none.
        max_seq_len: most tokens in a row, MASK and candidate included.
        relevance_head: where a relevance candidate meets the history: after the layers, against
            the "pooled" history or what its "last" item has read of it, or "inside" them; "last"
            for histories of more than 32 items, on average, and more than 200,000 training
            actions, unless `relevance.targets_per_user` is set. Next item does not use it.
    """

    hidden_size: int = 128
    num_layers: int = 2
    num_heads: int = 4
    ff_multiplier: int = 4
    dropout: float = 0.0
    token_dropout: float = 0.0
    output_dropout: float = 0.0
    attention_dropout: float = 0.0
    layer_scale: float = 0.0
    max_seq_len: int = 32
    relevance_head: Literal["inside", "pooled", "last"] = "pooled"

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers", "num_heads", "ff_multiplier"):
            value = getattr(self, name)
            cfg.check(value >= 1, f"bert4rec.{name}", value, "at least 1")
        cfg.check(
            self.hidden_size % self.num_heads == 0,
            "bert4rec.num_heads", self.num_heads, f"a divisor of hidden_size {self.hidden_size}",
        )  # fmt: skip
        for name in ("dropout", "token_dropout", "output_dropout", "attention_dropout"):
            value = getattr(self, name)
            cfg.check(0 <= value < 1, f"bert4rec.{name}", value, "at least 0 and below 1")
        scale = self.layer_scale
        cfg.check(0 <= scale <= 1, "bert4rec.layer_scale", scale, "at least 0 and at most 1")
        length = self.max_seq_len
        rule = f"from 2 to {MOST_TOKENS}, as windows.max_seq_len"
        cfg.check(2 <= length <= MOST_TOKENS, "bert4rec.max_seq_len", length, rule)
        allowed = ("inside", "pooled", "last")
        cfg.check(
            self.relevance_head in allowed,
            "bert4rec.relevance_head", self.relevance_head, f"one of {allowed}",
        )  # fmt: skip


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
        self.max_seq_len = config.max_seq_len  # the most tokens in a row
        self.head = "mask" if task == "next_item" else config.relevance_head
        self.candidate_inside = self.head == "inside"
        self.pooled = self.head in ("inside", "pooled")
        self.items = ItemTable(n_items, width, n_added=1, bias=not self.candidate_inside)
        self.positions: nn.Parameter | None = None
        if self.head != "last":  # its rows predict from every place, so none is the 0-th
            length = config.max_seq_len
            self.positions = nn.Parameter(torch.empty(length, width))  # row 0: last token
        self.dropout = Dropout(config.dropout)
        self.token_dropout = Dropout(config.token_dropout)
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
        if self.positions is not None:
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

    def forward(
        self,
        tokens_BL: Tensor,
        places_M: Tensor | None = None,
        prefixes_B: Tensor | None = None,
    ) -> Tensor:
        """User vectors u at int64 tokens [B, L].

        Next item: padded on the left, MASKs included. Relevance by the "last" item: padded on
        either side; each token sees those before it and the first `prefixes_B` of its row, or all
        of them without `prefixes_B`.

        Returns:
            [B, L, D]; or [M, D] at the given flat places in 0..B*L, which costs less.

        Raises:
            DataError: if a row is longer than max_seq_len.
        """
        vectors_BLD = self._vectors(tokens_BL)
        placed_BLD = self._placed(vectors_BLD)
        hidden = self._encode(tokens_BL, placed_BLD, places_M, prefixes_B)
        means = self._means(tokens_BL, vectors_BLD, places_M)
        scale = self.mean_weight * vectors_BLD.shape[2] ** 0.5
        return self.output_dropout(self.user_norm(hidden + scale * means))

    def _means(self, tokens_BL: Tensor, vectors_BLD: Tensor, places_M: Tensor | None) -> Tensor:
        """The m of each place or of the given ones: of all that its row shows, or up to there."""
        if self.head == "last":
            means_BLD = running_mean(vectors_BLD, tokens_BL)
            return means_BLD if places_M is None else means_BLD.flatten(0, 1)[places_M]
        means_BD = mean(vectors_BLD, (tokens_BL != PAD) & (tokens_BL != self.mask_token))
        if places_M is None:
            return means_BD.unsqueeze(1)
        return means_BD[places_M // tokens_BL.shape[1]]

    def pair_logits(self, tokens_RL: Tensor) -> Tensor:
        """Relevance logits [R] of rows of int64 tokens [R, L] whose last token is the candidate.

        Rows 2i and 2i + 1 have one history, as those of a `RelevancePairBatch`: a candidate that
        stays outside leaves it to be read once.
        """
        if not self.candidate_inside:
            users_PD = self._users(tokens_RL[::2, :-1])
            return self.items.pair_scores(users_PD, tokens_RL[:, -1].view(-1, 2)).flatten()
        vectors_RLD = [self._vectors(tokens_RL[:, :-1]), self.items(tokens_RL[:, -1:])]
        placed_RLD = self._placed(torch.cat(vectors_RLD, dim=1))
        marked_R1D = placed_RLD[:, -1:] + self.candidate_type
        hidden_RLD = self._encode(tokens_RL, torch.cat([placed_RLD[:, :-1], marked_R1D], dim=1))
        return self.relevance(mean(hidden_RLD, tokens_RL != PAD)).squeeze(1)

    def mixture(self) -> dict[str, float]:
        """The learned w, if the head has one."""
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
        read. An empty history is a lone MASK (next item) or the zero vector (relevance).

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
        if self.head == "last":
            if histories_BL.shape[1] == 0:
                histories_BL = F.pad(histories_BL, (1, 0), value=PAD)
            return self._at_the_end(histories_BL) * (histories_BL[:, -1:] != PAD)
        return self._at_the_end(F.pad(histories_BL, (0, 1), value=self.mask_token))

    def _at_the_end(self, tokens_BL: Tensor) -> Tensor:
        B, L = tokens_BL.shape
        return self(tokens_BL, torch.arange(L - 1, B * L, L, device=tokens_BL.device))

    def _pooled_history(self, histories_BL: Tensor) -> Tensor:
        hidden_BLD = self._encode(histories_BL, self._placed(self._vectors(histories_BL)))
        return self.output_dropout(mean(hidden_BLD, histories_BL != PAD))

    def _readable(self, histories_BL: Tensor) -> Tensor:
        return histories_BL[:, -(self.max_seq_len - 1) :]

    def _vectors(self, tokens_BL: Tensor) -> Tensor:
        """The vectors [B, L, D] of tokens; in training some items have zeros, MASK never.

        The others are not larger for it, as they would be by a usual dropout: what a layer adds to
        them does not grow with them, as it is normed, so they would weigh more than at inference.
        """
        vectors_BLD = self.items(tokens_BL)
        if not (self.training and self.token_dropout.p):
            return vectors_BLD
        kept_BL = self.token_dropout(torch.ones_like(tokens_BL, dtype=torch.float32)) > 0
        kept_BL |= tokens_BL == self.mask_token
        return vectors_BLD * kept_BL.unsqueeze(2)

    def _placed(self, vectors_BLD: Tensor) -> Tensor:
        """The vectors of tokens with those of their places, the last one of which is position 0."""
        length = vectors_BLD.shape[1]
        if length > self.max_seq_len:
            raise DataError(
                f"a row of {length} tokens does not fit: raise windows.max_seq_len "
                f"({self.max_seq_len})"
            )
        if self.positions is None:
            return vectors_BLD
        return vectors_BLD + self.positions[:length].flip(0)

    def _encode(
        self,
        tokens_BL: Tensor,
        vectors_BLD: Tensor,
        places_M: Tensor | None = None,
        prefixes_B: Tensor | None = None,
    ) -> Tensor:
        """The last layer's vectors, given those of the tokens with their positions added."""
        real_BL = tokens_BL != PAD
        # A row without any token attends to all its PADs: softmax over nothing would be NaN.
        seen_B1LL = (real_BL | ~real_BL.any(dim=1, keepdim=True))[:, None, None, :]
        if prefixes_B is not None:
            seen_B1LL = seen_B1LL & _prefix_sight(prefixes_B, tokens_BL.shape[1])
        hidden = self.dropout(vectors_BLD)
        for layer in self.layers[:-1]:
            hidden = layer(hidden, seen_B1LL)
        return self.norm(self.layers[-1](hidden, seen_B1LL, places_M))


def _prefix_sight(prefixes_B: Tensor, length: int) -> Tensor:
    """Whom the i-th token sees, bool [B, 1, L, L]: the j-th for j <= i, and all of the prefix."""
    places_L = torch.arange(length, device=prefixes_B.device)
    earlier_LL = places_L <= places_L.unsqueeze(1)
    inside_BL = places_L < prefixes_B.unsqueeze(1)
    return (earlier_LL | inside_BL.unsqueeze(1)).unsqueeze(1)
