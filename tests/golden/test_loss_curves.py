"""Twenty steps of each model and task equal the stored ones.

The curves pin initialisation, forward pass, loss and gradient. Dropout is off, because its draws
are not the same in every build of torch. The stored losses have six digits; the tolerance of 1e-3
covers the order of sums in other builds and processors, and no change of a formula.
`python tests/golden/test_loss_curves.py` writes them anew.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqrec.batches import RelevanceSequenceBatch
from seqrec.models import LSTM, BERT4Rec, BERT4RecConfig, LSTMConfig
from seqrec.training.objectives import ObjectiveConfig, make_objective

N, ROWS, LENGTH, STEPS = 50, 8, 12, 20
CELLS = [
    ("lstm", "next_item", "inside"),
    ("lstm", "relevance", "inside"),
    ("bert4rec", "next_item", "inside"),
    ("bert4rec", "relevance", "inside"),
    ("bert4rec", "relevance", "pooled"),
    ("bert4rec", "relevance", "last"),
]


def curve(name: str, task: str, head: str) -> list[float]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        if name == "lstm":
            model = LSTM(
                N, LSTMConfig(embedding_dim=16, hidden_size=24, dropout=0.0, output_dropout=0.0)
            )
        else:
            options = BERT4RecConfig(
                hidden_size=16, dropout=0.0, max_seq_len=LENGTH, relevance_head=head
            )
            model = BERT4Rec(N, options, task)
    loss = "ce" if task == "next_item" else "bce"
    objective = make_objective(ObjectiveConfig(loss=loss, l2=1e-4), name, task)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        value = objective(model, batch(name, task, head, step)).value
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def batch(name: str, task: str, head: str, step: int) -> Any:
    """Walks through the items by strides 1, 2, 3, ...: no generator is involved."""
    rows, places = torch.arange(ROWS).unsqueeze(1), torch.arange(LENGTH)
    items = (7 * step + 5 * rows + (1 + rows % 3) * places) % N + 1
    nexts, others = (items + rows % 3) % N + 1, (items + 25) % N + 1
    real = places < LENGTH - rows % 4
    if head == "last":
        prefixes = 1 + (3 * step + rows) % 8
        targets = real & (places >= prefixes - 1)
        return RelevanceSequenceBatch(
            inputs=items * real,
            positives=nexts * targets,
            negatives=others * targets,
            prefixes=prefixes.squeeze(1),
            n_targets=2 * int(targets.sum()),
        )
    if name == "lstm":
        fields = {"inputs": items * real, "n_targets": int(real.sum())}
        if task == "next_item":
            fields["targets"] = torch.where(real, nexts, -100)
            return SimpleNamespace(**fields)
        fields["n_targets"] *= 2
        fields["positives"], fields["negatives"] = nexts * real, others * real
        return SimpleNamespace(prefixes=None, **fields)
    real = real.flip(1)
    if task == "next_item":
        masked = real & ((places + rows + step) % 4 == 0)
        tokens = torch.where(masked, N + 1, items * real)
        labels = torch.where(masked, items, -100)
        return SimpleNamespace(tokens=tokens, labels=labels, n_targets=int(masked.sum()))
    pairs = (items * real).repeat_interleave(2, dim=0)
    pairs[1::2, -1] = others[:, -1]
    labels = torch.tensor([1.0, 0.0]).repeat(ROWS)
    return SimpleNamespace(tokens=pairs, labels=labels, n_targets=2 * ROWS)


def stored(name: str, task: str, head: str) -> Path:
    return Path(__file__).parent / f"loss_{name}_{task}_{head}.txt"


@pytest.mark.parametrize(("name", "task", "head"), CELLS)
def test_the_loss_curve_equals_the_stored_one(name, task, head):
    lines = stored(name, task, head).read_text().splitlines()
    expected = [float(line.split()[1]) for line in lines]
    assert curve(name, task, head) == pytest.approx(expected, rel=1e-3)


if __name__ == "__main__":
    for cell in CELLS:
        text = "".join(f"{step} {loss:.6f}\n" for step, loss in enumerate(curve(*cell)))
        stored(*cell).write_text(text)
