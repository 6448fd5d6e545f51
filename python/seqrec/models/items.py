"""The item table: the vectors e_c that go in, and the scores <u, e_c> + b_c that come out.

Both models share it, and the output is tied to the input (protocol, "The models"). Its rows are
the tokens themselves: row 0 is PAD and stays zero, rows 1..N are the items, and what a model adds
to its vocabulary (MASK) follows. Neither PAD nor an added token is ever scored.

B users, C candidates, D width, L tokens, N items.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec.errors import DataError
from seqrec.tokens import PAD

INITIAL_STD = 0.05


class ItemTable(nn.Module):
    """N item vectors and, where the items are scored against a user vector, N biases.

    Attributes:
        weight: [1 + N + n_added, D], by token.
        bias: b_c [N] of the items 1..N, or None.
    """

    bias: nn.Parameter | None

    def __init__(self, n_items: int, width: int, *, n_added: int = 0, bias: bool = True) -> None:
        super().__init__()
        self.n_items = n_items
        self.weight = nn.Parameter(torch.empty(1 + n_items + n_added, width))
        self.bias = nn.Parameter(torch.empty(n_items)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal vectors, a zero PAD and zero biases."""
        nn.init.normal_(self.weight, std=INITIAL_STD)
        with torch.no_grad():
            self.weight[PAD].zero_()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def start(self, vectors: Tensor) -> None:
        """Lets the items begin at `vectors` [N, D], float; PAD and added tokens are untouched.

        Raises:
            DataError: if the shape is another or a value is not finite.
        """
        rows = self.vectors
        if vectors.shape != rows.shape:
            raise DataError(
                f"start vectors have the shape {list(vectors.shape)}, the item table needs "
                f"{list(rows.shape)} (items, width)"
            )
        _refuse_infinite("vector", torch.isfinite(vectors).all(dim=1))
        with torch.no_grad():
            rows.copy_(vectors)

    def start_biases(self, biases: Tensor) -> None:
        """Lets the biases begin at `biases` [N], float; without biases nothing is to be done.

        Raises:
            DataError: if the shape is another or a value is not finite.
        """
        if self.bias is None:
            return
        if biases.shape != self.bias.shape:
            raise DataError(
                f"start biases have the shape {list(biases.shape)}, the item table needs "
                f"{list(self.bias.shape)} (items)"
            )
        _refuse_infinite("bias", torch.isfinite(biases))
        with torch.no_grad():
            self.bias.copy_(biases)

    @property
    def vectors(self) -> Tensor:
        """e_1..e_N: a view [N, D] of the table."""
        return self.weight[1 : 1 + self.n_items]

    def output(self) -> tuple[Tensor, Tensor]:
        """The vectors [N, D] and biases [N] that score the items 1..N.

        Raises:
            DataError: if this table has no biases: its model scores a candidate another way.
        """
        if self.bias is None:
            raise DataError(
                "this model scores a candidate inside its input and cannot score the whole "
                "catalogue at once: give candidates, or train with relevance_head = 'pooled'"
            )
        return self.vectors, self.bias

    def forward(self, tokens: Tensor) -> Tensor:
        """The vectors [..., D] of int64 tokens [...]; PAD has the zero vector and no gradient."""
        return F.embedding(tokens, self.weight, padding_idx=PAD)

    def scores(self, users_BD: Tensor) -> Tensor:
        """<u, e_c> + b_c for every item: [B, N]; column j is the item j + 1."""
        vectors_ND, bias_N = self.output()
        return F.linear(users_BD, vectors_ND, bias_N)

    def pair_scores(self, users_BD: Tensor, candidates_BC: Tensor) -> Tensor:
        """<u, e_c> + b_c for the candidates of each user, items 1..N: [B, C]."""
        _, bias_N = self.output()
        vectors_BCD = self(candidates_BC)
        products_BC = (vectors_BCD * users_BD.unsqueeze(1)).sum(dim=-1)
        return products_BC + bias_N[candidates_BC - 1]

    def row_scores(self, users_BLD: Tensor, candidates_BC: Tensor) -> Tensor:
        """<u, e_c> + b_c of each user vector of a row for the candidates of the row: [B, L, C].

        Items 1..N; a PAD among the candidates has a column without meaning.
        """
        _, bias_N = self.output()
        products_BLC = users_BLD @ self(candidates_BC).transpose(1, 2)
        return products_BLC + bias_N[candidates_BC - 1].unsqueeze(1)


def _refuse_infinite(what: str, finite_N: Tensor) -> None:
    if not finite_N.all():
        item = int((~finite_N).nonzero()[0]) + 1
        raise DataError(f"start {what} of item {item} is not finite")
