from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from seqrec.batches import RelevanceSequenceBatch
from seqrec.errors import ConfigError
from seqrec.models import LSTM, BERT4Rec, BERT4RecConfig, LSTMConfig
from seqrec.training.objectives import ObjectiveConfig, Sampling, make_objective

N, MASK = 9, 10
NEGATIVES = 6  # of a full batch
CELLS = [(model, task) for model in ("lstm", "bert4rec") for task in ("next_item", "relevance")]
CELLS.append(("bert4rec, last", "relevance"))


def new_model(name, task, head="inside"):
    torch.manual_seed(0)
    if name == "lstm":
        return LSTM(N, LSTMConfig(embedding_dim=8, hidden_size=6, dropout=0.0, output_dropout=0.0))
    head = "last" if name == "bert4rec, last" else head
    options = BERT4RecConfig(hidden_size=8, dropout=0.0, max_seq_len=6, relevance_head=head)
    return BERT4Rec(N, options, task)


def new_batch(name, task, negatives=None):
    """Two rows; the second has two items."""
    if name == "bert4rec, last":
        return RelevanceSequenceBatch(
            inputs=torch.tensor([[1, 2, 3], [4, 0, 0]]),
            positives=torch.tensor([[0, 3, 4], [5, 0, 0]]),
            negatives=torch.tensor([[0, 7, 9], [8, 0, 0]]),
            prefixes=torch.tensor([2, 1]),
            n_targets=6,
        )
    return SimpleNamespace(**{
        ("lstm", "next_item"): {
            "inputs": torch.tensor([[1, 2, 3], [4, 0, 0]]),
            "targets": torch.tensor([[2, 3, 4], [5, -100, -100]]),
            "negatives": negatives,
            "n_targets": 4,
        },
        ("bert4rec", "next_item"): {
            "tokens": torch.tensor([[1, MASK, 3, MASK], [0, 0, 4, MASK]]),
            "labels": torch.tensor([[-100, 2, -100, 4], [-100, -100, -100, 5]]),
            "negatives": negatives,
            "n_targets": 3,
        },
        ("lstm", "relevance"): {
            "inputs": torch.tensor([[1, 2, 3], [4, 0, 0]]),
            "positives": torch.tensor([[2, 0, 4], [5, 0, 0]]),
            "negatives": torch.tensor([[7, 0, 9], [8, 0, 0]]),
            "prefixes": None,
            "n_targets": 6,
        },
        ("bert4rec", "relevance"): {
            "tokens": torch.tensor([[1, 2, 3], [1, 2, 7], [0, 4, 5], [0, 4, 8]]),
            "labels": torch.tensor([1.0, 0.0, 1.0, 0.0]),
            "n_targets": 4,
        },
    }[name, task])  # fmt: skip


def loss_of(task):
    return "ce" if task == "next_item" else "bce"


def step(model, name, task, batch, **options):
    config = ObjectiveConfig(**{"loss": loss_of(task)} | options)
    uniform = -torch.log(torch.tensor(float(N)))
    sampling = Sampling(log_q=lambda ids: uniform.expand(ids.shape), negatives=NEGATIVES)
    return make_objective(config, name.split(",")[0], task, sampling=sampling)(model, batch)


def test_lstm_next_item_is_cross_entropy_at_every_target():
    model, batch = new_model("lstm", "next_item"), new_batch("lstm", "next_item")
    loss = step(model, "lstm", "next_item", batch)
    logits = F.linear(model(batch.inputs), *model.item_weight())
    columns = torch.where(batch.targets > 0, batch.targets - 1, -100)
    torch.testing.assert_close(loss.value, F.cross_entropy(logits.flatten(0, 1), columns.flatten()))
    assert loss.targets == 4


def test_cloze_is_cross_entropy_at_the_masked_positions():
    model, batch = new_model("bert4rec", "next_item"), new_batch("bert4rec", "next_item")
    loss = step(model, "bert4rec", "next_item", batch)
    logits = F.linear(model(batch.tokens), *model.item_weight())
    columns = torch.where(batch.labels > 0, batch.labels - 1, -100)
    torch.testing.assert_close(loss.value, F.cross_entropy(logits.flatten(0, 1), columns.flatten()))
    assert loss.targets == 3


def judged(logits, places):
    """The mean loss of places (row, position, positive, negatives), half of it the positive's."""

    def loss(row, position, item, label):
        logit = logits[row, position, item - 1]
        return F.binary_cross_entropy_with_logits(logit, torch.tensor(label))

    losses = [
        (loss(*at, positive, 1.0) + torch.stack([loss(*at, c, 0.0) for c in negatives]).mean()) / 2
        for *at, positive, negatives in places
    ]
    return torch.stack(losses).mean()


def test_lstm_relevance_judges_each_positive_and_all_negatives_of_its_row():
    model, batch = new_model("lstm", "relevance"), new_batch("lstm", "relevance")
    loss = step(model, "lstm", "relevance", batch)
    logits = F.linear(model(batch.inputs), *model.item_weight())
    places = [(0, 0, 2, [7, 9]), (0, 2, 4, [7, 9]), (1, 0, 5, [8])]
    torch.testing.assert_close(loss.value, judged(logits, places))
    assert loss.targets == 6


def test_the_last_item_judges_from_the_end_of_the_prefix_on():
    model, batch = (new("bert4rec, last", "relevance") for new in (new_model, new_batch))
    loss = step(model, "bert4rec, last", "relevance", batch)
    logits = F.linear(model(batch.inputs, None, batch.prefixes), *model.item_weight())
    places = [(0, 1, 3, [7, 9]), (0, 2, 4, [7, 9]), (1, 0, 5, [8])]
    torch.testing.assert_close(loss.value, judged(logits, places))
    assert loss.targets == 6


def test_a_long_row_shares_its_negatives_in_blocks(monkeypatch):
    monkeypatch.setattr("seqrec.training.objectives.BLOCK", 2)
    model, batch = new_model("lstm", "relevance"), new_batch("lstm", "relevance")
    batch.positives[0, 1], batch.negatives[0, 1], batch.n_targets = 3, 8, 8
    loss = step(model, "lstm", "relevance", batch)
    logits = F.linear(model(batch.inputs), *model.item_weight())
    places = [(0, 0, 2, [7, 8]), (0, 1, 3, [7, 8]), (0, 2, 4, [9]), (1, 0, 5, [8])]
    torch.testing.assert_close(loss.value, judged(logits, places))


@pytest.mark.parametrize("name", ["lstm", "bert4rec, last"])
def test_a_share_without_rows_has_no_loss(name):
    model, batch = new_model(name, "relevance"), new_batch(name, "relevance")
    for field in ("inputs", "positives", "negatives", "prefixes"):
        value = getattr(batch, field)
        setattr(batch, field, None if value is None else value[:0])
    batch.n_targets = 0
    loss = step(model, name, "relevance", batch)
    loss.value.backward()
    assert (loss.value.item(), loss.targets) == (0.0, 0)


@pytest.mark.parametrize("head", ["inside", "pooled"])
def test_bert4rec_relevance_judges_every_row(head):
    model, batch = new_model("bert4rec", "relevance", head), new_batch("bert4rec", "relevance")
    loss = step(model, "bert4rec", "relevance", batch)
    expected = F.binary_cross_entropy_with_logits(model.pair_logits(batch.tokens), batch.labels)
    torch.testing.assert_close(loss.value, expected)
    assert loss.targets == 4


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_the_l2_term_counts_the_items_once_a_step(name, task):
    model, batch = new_model(name, task), new_batch(name, task)
    plain = step(model, name, task, batch).value
    decayed = step(model, name, task, batch, l2=0.5).value
    squares = model.items.weight[1 : N + 1].square().sum()
    torch.testing.assert_close(decayed - plain, 0.5 * squares)


@pytest.mark.parametrize("name", ["lstm", "bert4rec"])
@pytest.mark.parametrize("loss", ["sampled_ce", "bce", "gbce"])
def test_sampled_losses_read_all_negatives(name, loss):
    model = new_model(name, "next_item")
    few = step(
        model, name, "next_item",
        new_batch(name, "next_item", torch.tensor([[6, 7], [8, 9]])), loss=loss,
    )  # fmt: skip
    other = step(
        model, name, "next_item",
        new_batch(name, "next_item", torch.tensor([[6, 7], [8, 1]])), loss=loss,
    )  # fmt: skip
    few.value.backward()
    assert few.value.item() != other.value.item()
    assert torch.isfinite(model.items.weight.grad).all()


def softmax_of(positive, others):
    """-log of the target's share, where four drawn items stand for all N."""
    return torch.log(positive.exp() + others.exp().sum() * N / 4) - positive


def binary_of(positive, others, beta=1.0):
    """The negatives of a full batch, of which four are there."""
    return -beta * F.logsigmoid(positive) - F.logsigmoid(-others).sum() * NEGATIVES / 4


@pytest.mark.parametrize("name", ["lstm", "bert4rec"])
@pytest.mark.parametrize(
    ("loss", "of_one"),
    [
        ("sampled_ce", softmax_of),
        ("bce", binary_of),
        ("gbce", partial(binary_of, beta=0.25 + 0.75 * NEGATIVES / (N - 1))),
    ],
)
def test_sampled_losses_set_each_target_against_the_negatives_of_all_rows(name, loss, of_one):
    model = new_model(name, "next_item")
    batch = new_batch(name, "next_item", torch.tensor([[6, 3], [8, 2]]))  # 3 and 2 are targets, too
    tokens, targets = (
        (batch.inputs, batch.targets) if name == "lstm" else (batch.tokens, batch.labels)
    )
    logits = F.linear(model(tokens), *model.item_weight())
    expected = []
    for row, place in (targets > 0).nonzero().tolist():
        item = int(targets[row, place])
        others = torch.tensor([j - 1 for j in (6, 3, 8, 2) if j != item])
        expected.append(of_one(logits[row, place, item - 1], logits[row, place, others]))
    found = step(model, name, "next_item", batch, loss=loss).value
    torch.testing.assert_close(found, torch.stack(expected).mean())


def test_a_target_that_is_the_only_negative_drawn_costs_nothing():
    model = new_model("lstm", "next_item")
    batch = new_batch("lstm", "next_item", torch.tensor([[5], [5]]))
    batch.targets[0] = batch.targets[0].where(batch.targets[0] <= 0, 5)
    loss = step(model, "lstm", "next_item", batch, loss="sampled_ce")
    loss.value.backward()
    assert loss.value.item() == 0
    assert torch.isfinite(model.items.weight.grad).all()


@pytest.mark.parametrize("name", ["lstm", "bert4rec"])
@pytest.mark.parametrize(
    ("loss", "option"),
    [("ce", {"label_smoothing": 0.2}), ("gbce", {"gbce_t": 0.1})],
)
def test_the_options_of_a_loss_are_read(name, loss, option):
    model = new_model(name, "next_item")
    batch = new_batch(name, "next_item", torch.tensor([[6, 7], [8, 9]]))
    plain = step(model, name, "next_item", batch, loss=loss).value
    assert step(model, name, "next_item", batch, loss=loss, **option).value.item() != plain.item()


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_a_batch_without_targets_has_no_loss_and_finite_gradients(name, task):
    model, batch = new_model(name, task), new_batch(name, task)
    for tensor in ("labels", "targets"):
        if task == "next_item" and hasattr(batch, tensor):
            setattr(batch, tensor, torch.full_like(getattr(batch, tensor), -100))
    if hasattr(batch, "positives"):
        batch.positives = torch.zeros_like(batch.positives)
    if (name, task) == ("bert4rec", "relevance"):
        batch.tokens, batch.labels = batch.tokens[:0], batch.labels[:0]
    batch.n_targets = 0
    loss = step(model, name, task, batch)
    loss.value.backward()
    assert (loss.value.item(), loss.targets) == (0.0, 0)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("name", "task"), [cell for cell in CELLS if cell != ("bert4rec", "relevance")]
)
@pytest.mark.parametrize("repeats", [1, 12])
def test_a_cpu_is_asked_for_few_numbers_of_places(name, task, repeats, monkeypatch):
    model, batch, asked = new_model(name, task), new_batch(name, task), []
    fields = batch.__slots__ if isinstance(batch, RelevanceSequenceBatch) else list(vars(batch))
    for field in fields:
        value = getattr(batch, field)
        if isinstance(value, torch.Tensor):
            setattr(batch, field, torch.cat([value] * repeats))
    batch.n_targets *= repeats
    forward = model.forward
    monkeypatch.setattr(
        model,
        "forward",
        lambda tokens, places, *more: asked.append(len(places)) or forward(tokens, places, *more),
    )
    repeated = step(model, name, task, batch)
    assert asked == [-(-repeated.targets // (32 * (1 + (task == "relevance")))) * 32]
    once = step(new_model(name, task), name, task, new_batch(name, task))
    torch.testing.assert_close(repeated.value, once.value)
    assert repeated.targets == repeats * once.targets


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_one_batch_is_learned_by_heart(name, task):
    model, batch = new_model(name, task), new_batch(name, task)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(120):
        optimizer.zero_grad()
        loss = step(model, name, task, batch)
        loss.value.backward()
        optimizer.step()
    assert loss.value.item() < 0.05


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_every_parameter_learns(name, task):
    model, batch = new_model(name, task), new_batch(name, task)
    step(model, name, task, batch).value.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(("name", "task"), CELLS)
def test_bf16_is_near_fp32(name, task):
    model, batch = new_model(name, task), new_batch(name, task)
    exact = step(model, name, task, batch).value
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = step(model, name, task, batch).value
    rounded.backward()
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loss": "hinge"}, "objective.loss"),
        ({"l2": -1.0}, "objective.l2"),
        ({"l2": float("inf")}, "objective.l2"),
        ({"label_smoothing": 1.0}, "objective.label_smoothing"),
        ({"loss": "bce", "label_smoothing": 0.1}, "0 unless the loss is 'ce'"),
        ({"loss": "gbce", "gbce_t": 2.0}, "objective.gbce_t"),
        ({"gbce_t": 0.5}, "left out unless the loss is 'gbce'"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        ObjectiveConfig(**options)


def test_relevance_has_one_loss():
    with pytest.raises(ConfigError, match="'bce' for relevance"):
        make_objective(ObjectiveConfig(loss="ce"), "lstm", "relevance")


@pytest.mark.parametrize("loss", ["sampled_ce", "bce", "gbce"])
def test_a_sampled_loss_asks_how_its_negatives_are_drawn(loss):
    with pytest.raises(ConfigError, match="given with the sampling of its negatives"):
        make_objective(ObjectiveConfig(loss=loss), "lstm", "next_item")


def test_an_unknown_cell_is_refused():
    with pytest.raises(ConfigError, match="'gru' on task 'next_item'"):
        make_objective(ObjectiveConfig(), "gru", "next_item")
