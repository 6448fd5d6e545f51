from __future__ import annotations

import pytest
import torch

from seqrec.errors import ConfigError
from seqrec.models import LSTM, LSTMConfig

N = 9


def lstm(**options) -> LSTM:
    torch.manual_seed(0)
    sizes = {"embedding_dim": 4, "hidden_size": 6} | options
    return LSTM(N, LSTMConfig(**sizes)).eval()


def test_shapes():
    model = lstm()
    tokens = torch.tensor([[1, 2, 3], [4, 0, 0]])
    assert model(tokens).shape == (2, 3, 4)
    assert model(tokens, torch.tensor([0, 4])).shape == (2, 4)
    assert model.score_next(tokens).shape == (2, N)
    assert model.score_pairs(tokens, torch.ones(2, 5, dtype=torch.int64)).shape == (2, 5)
    assert [tuple(t.shape) for t in model.item_weight()] == [(N, 4), (N,)]


def test_vectors_at_places_are_those_of_the_whole():
    model, tokens = lstm(), torch.tensor([[1, 2, 3], [4, 5, 0]])
    places = torch.tensor([2, 0, 4])
    torch.testing.assert_close(model(tokens, places), model(tokens).flatten(0, 1)[places])


def test_more_padding_changes_nothing():
    model, tokens = lstm(), torch.tensor([[1, 2, 3], [4, 0, 0]])
    padded = torch.nn.functional.pad(tokens, (0, 5))
    torch.testing.assert_close(model(padded)[:, :3], model(tokens), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        model.score_next(padded), model.score_next(tokens), rtol=1e-5, atol=1e-6
    )


def test_the_future_changes_nothing_earlier():
    model = lstm(num_layers=2)
    before = model(torch.tensor([[1, 2, 3, 4]]))
    after = model(torch.tensor([[1, 2, 8, 9]]))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_layers_are_stacked_with_dropout_between():
    model = lstm(num_layers=3, hidden_size=4, layer_norm=False)
    layers, tokens = (model.lstm, *model.upper), torch.tensor([[1, 2, 3]])
    stack = torch.nn.LSTM(4, 4, 3, batch_first=True)
    named = {
        f"{name[:-1]}{k}": p for k, own in enumerate(layers) for name, p in own.named_parameters()
    }
    stack.load_state_dict(named)
    vectors = model.items(tokens)
    means = vectors.cumsum(dim=1) / torch.arange(1, 4)[:, None]
    torch.testing.assert_close(model(tokens), 0.5 * stack(vectors)[0] + 0.5 * means)


def test_dropout_is_on_the_input_and_between_the_layers():
    model, calls = lstm(num_layers=3).train(), []
    model.dropout.register_forward_hook(lambda *_: calls.append(1))
    model(torch.tensor([[1, 2, 3]]))
    assert len(calls) == 3


def test_the_user_vector_is_the_weighted_sum_of_state_and_mean():
    model = lstm(layer_norm=False)
    tokens = torch.tensor([[3, 7]])
    vectors = model.items(tokens)
    states, _ = model.lstm(vectors)
    mean = (vectors[0, 0] + vectors[0, 1]) / 2
    expected = 0.5 * model.project(states)[0, 1] + 0.5 * mean
    torch.testing.assert_close(model(tokens)[0, 1], expected)


def test_the_two_weights_start_at_a_half_and_learn():
    model = lstm()
    model(torch.tensor([[1, 2]])).square().sum().backward()
    assert (model.state_weight.item(), model.mean_weight.item()) == (0.5, 0.5)
    assert model.state_weight.grad is not None
    assert model.mean_weight.grad is not None


def test_scores_read_the_last_real_item():
    model = lstm()
    alone = model.score_next(torch.tensor([[5, 6]]))
    padded = model.score_next(torch.tensor([[5, 6, 0, 0], [1, 2, 3, 4]]))
    torch.testing.assert_close(padded[:1], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [0, 3])
def test_an_empty_history_scores_by_the_biases(width):
    model = lstm()
    torch.nn.init.normal_(model.items.bias)
    empty = torch.zeros(2, width, dtype=torch.int64)
    assert torch.equal(model.score_next(empty), model.items.bias.expand(2, N))
    pairs = model.score_pairs(empty, torch.tensor([[4], [1]]))
    assert torch.equal(pairs[:, 0], model.items.bias[[3, 0]])


def test_pair_scores_are_entries_of_the_next_scores():
    model, tokens = lstm(), torch.tensor([[1, 2, 3], [4, 0, 0]])
    candidates = torch.tensor([[9, 1], [2, 3]])
    expected = model.score_next(tokens).gather(1, candidates - 1)
    torch.testing.assert_close(model.score_pairs(tokens, candidates), expected)


def test_dropout_acts_in_training_alone():
    model, tokens = lstm(dropout=0.5), torch.tensor([[1, 2, 3]])
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))


def test_the_user_vector_has_a_dropout_of_its_own():
    tokens = torch.tensor([[1, 2, 3]])
    assert (lstm(dropout=0.5, output_dropout=0.0).train()(tokens) != 0).all()
    assert (lstm(dropout=0.0, output_dropout=0.9).train()(tokens) == 0).any()


def test_there_is_no_projection_between_equal_sizes():
    assert not list(lstm(hidden_size=4).project.parameters())


@pytest.mark.parametrize(
    "change",
    [
        {"embedding_dim": 5},
        {"hidden_size": 7},
        {"num_layers": 2},
        {"dropout": 0.5},
        {"output_dropout": 0.5},
        {"layer_norm": False},
    ],
)
def test_every_option_changes_the_model(change):
    assert set(LSTMConfig.__dataclass_fields__) == {
        "embedding_dim", "hidden_size", "num_layers", "dropout", "output_dropout", "layer_norm",
    }  # fmt: skip
    assert repr(lstm(**change)) != repr(lstm())


@pytest.mark.parametrize(
    "option",
    [
        {"embedding_dim": 0},
        {"hidden_size": 0},
        {"num_layers": 0},
        {"dropout": 1.0},
        {"output_dropout": -0.1},
    ],
)
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ConfigError, match=f"lstm.{next(iter(option))}"):
        LSTMConfig(**option)


def test_the_names_of_the_weights_are_stable():
    assert {name: tuple(t.shape) for name, t in lstm().state_dict().items()} == {
        "state_weight": (),
        "mean_weight": (),
        "items.weight": (10, 4),
        "items.bias": (9,),
        "lstm.weight_ih_l0": (24, 4),
        "lstm.weight_hh_l0": (24, 6),
        "lstm.bias_ih_l0": (24,),
        "lstm.bias_hh_l0": (24,),
        "project.weight": (4, 6),
        "norm.weight": (4,),
        "norm.bias": (4,),
    }


def test_the_forget_gate_starts_open():
    assert lstm().lstm.bias_ih_l0.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
