from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from seqrec.errors import ConfigError, DataError
from seqrec.models import BERT4Rec, BERT4RecConfig
from seqrec.models.transformer import Layer

N, MASK = 9, 10
SMALL = {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "max_seq_len": 12}


def bert4rec(task="next_item", **options) -> BERT4Rec:
    torch.manual_seed(0)
    model = BERT4Rec(N, BERT4RecConfig(**SMALL | options), task).eval()
    for parameter in model.parameters():  # 0.02 would hide what depends on what
        if parameter.ndim:
            torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        model.items.weight[0] = 0
    return model


def hidden(model, tokens) -> torch.Tensor:
    """The last layer's vectors [B, L, D]."""
    return model._encode(tokens, model._placed(model.items(tokens)))


def test_shapes():
    model = bert4rec()
    tokens = torch.tensor([[1, 2, 3], [0, 0, MASK]])
    assert model(tokens).shape == (2, 3, 8)
    assert model(tokens, torch.tensor([5])).shape == (1, 8)
    assert model.score_next(tokens).shape == (2, N)
    assert model.score_pairs(tokens, torch.ones(2, 5, dtype=torch.int64)).shape == (2, 5)
    assert [tuple(t.shape) for t in model.item_weight()] == [(N, 8), (N,)]


def test_vectors_at_places_are_those_of_the_whole():
    model, tokens = bert4rec(), torch.tensor([[1, MASK, 3], [0, 5, MASK]])
    places = torch.tensor([5, 1])
    torch.testing.assert_close(model(tokens, places), model(tokens).flatten(0, 1)[places])


@pytest.mark.parametrize("task", ["next_item", "relevance"])
@pytest.mark.parametrize("head", ["inside", "pooled", "last"])
def test_more_padding_changes_nothing(task, head):
    model = bert4rec(task, relevance_head=head)
    tokens, candidates = torch.tensor([[1, 2, 3], [0, 0, 4]]), torch.tensor([[5, 6], [7, 8]])
    padded = F.pad(tokens, (6, 0))
    close = {"rtol": 1e-5, "atol": 1e-6}
    vectors = model if task == "next_item" else lambda tokens: hidden(model, tokens)
    torch.testing.assert_close(vectors(padded)[:, -3:][0], vectors(tokens)[0], **close)
    torch.testing.assert_close(vectors(padded)[1, -1], vectors(tokens)[1, -1], **close)
    torch.testing.assert_close(
        model.score_pairs(padded, candidates), model.score_pairs(tokens, candidates), **close
    )


def test_the_future_changes_what_is_before():
    model = bert4rec()
    before, after = model(torch.tensor([[1, 2, 3]])), model(torch.tensor([[1, 2, 9]]))
    assert not torch.allclose(before[:, :2], after[:, :2])


def test_order_matters():
    model = bert4rec()
    assert not torch.allclose(
        model.score_next(torch.tensor([[1, 2, 3]])), model.score_next(torch.tensor([[2, 1, 3]]))
    )


@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_a_row_of_padding_is_finite_and_so_are_its_gradients(task):
    model = bert4rec(task).train()
    tokens = torch.tensor([[0, 0, 0], [1, 2, 3]])
    out = model(tokens) if task == "next_item" else model.pair_logits(tokens)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("width", [0, 3])
@pytest.mark.parametrize(
    ("task", "head"),
    [
        ("next_item", "inside"),
        ("relevance", "inside"),
        ("relevance", "pooled"),
        ("relevance", "last"),
    ],
)
def test_an_empty_history_has_finite_scores(width, task, head):
    model = bert4rec(task, relevance_head=head)
    empty = torch.zeros(2, width, dtype=torch.int64)
    assert torch.isfinite(model.score_pairs(empty, torch.tensor([[4], [1]]))).all()


def test_next_scores_are_those_of_one_mask_after_the_history():
    model = bert4rec()
    hidden = model(torch.tensor([[3, 4, MASK]]))[:, -1]
    expected = F.linear(hidden, *model.item_weight())
    torch.testing.assert_close(model.score_next(torch.tensor([[3, 4]])), expected)


def test_the_user_vector_is_the_last_layer_s_and_the_mean_of_the_items_shown():
    model, tokens = bert4rec(), torch.tensor([[0, 3, MASK, 4, MASK]])
    mean = (model.items.weight[3] + model.items.weight[4]) / 2
    expected = model.user_norm(hidden(model, tokens)[0] + 0.5 * 8**0.5 * mean)
    torch.testing.assert_close(model(tokens)[0], expected)
    assert (model.mixture(), bert4rec("relevance").mixture()) == ({"w": 0.5}, {})


def test_a_long_history_keeps_its_last_items():
    model = bert4rec(max_seq_len=4)
    long, last = torch.tensor([[9, 8, 1, 2, 3]]), torch.tensor([[1, 2, 3]])
    assert torch.equal(model.score_next(long), model.score_next(last))


def test_a_row_longer_than_max_seq_len_is_refused():
    with pytest.raises(DataError, match=r"5 tokens does not fit: raise windows\.max_seq_len \(4\)"):
        bert4rec(max_seq_len=4)(torch.ones(1, 5, dtype=torch.int64))


def test_pair_scores_are_entries_of_the_next_scores():
    tokens, candidates = torch.tensor([[1, 2, 3], [0, 0, 4]]), torch.tensor([[9, 1], [2, 3]])
    heads = ("pooled", "last")
    models = [bert4rec(), *(bert4rec("relevance", relevance_head=head) for head in heads)]
    for model in models:
        expected = model.score_next(tokens).gather(1, candidates - 1)
        torch.testing.assert_close(model.score_pairs(tokens, candidates), expected)


@pytest.mark.parametrize("head", ["inside", "pooled", "last"])
def test_pair_scores_are_the_logits_of_rows_with_the_candidate_last(head):
    model = bert4rec("relevance", relevance_head=head)
    scores = model.score_pairs(torch.tensor([[0, 2, 3]]), torch.tensor([[5, 6]]))
    rows = torch.tensor([[0, 2, 3, 5], [0, 2, 3, 6]])
    torch.testing.assert_close(scores[0], model.pair_logits(rows))


def test_inside_the_logit_is_w_times_the_mean_of_the_real_vectors():
    model = bert4rec("relevance", relevance_head="inside")
    with torch.no_grad():
        model.candidate_type.zero_()
    rows = hidden(model, torch.tensor([[0, 0, 2, 5]]))[0]
    expected = model.relevance((rows[2] + rows[3]) / 2)
    torch.testing.assert_close(model.pair_logits(torch.tensor([[0, 0, 2, 5]])), expected)


def test_inside_the_candidate_type_marks_the_candidate():
    model, rows = bert4rec("relevance", relevance_head="inside"), torch.tensor([[2, 5]])
    marked = model.pair_logits(rows)
    with torch.no_grad():
        model.candidate_type.zero_()
    assert not torch.allclose(marked, model.pair_logits(rows))


def test_pooled_the_logit_is_the_mean_of_the_history_against_the_candidate():
    model = bert4rec("relevance", relevance_head="pooled")
    vectors, biases = model.item_weight()
    user = hidden(model, torch.tensor([[2, 3]]))[0].mean(dim=0)
    expected = user @ vectors[4] + biases[4]
    rows = torch.tensor([[0, 2, 3, 5], [0, 2, 3, 6]])
    torch.testing.assert_close(model.pair_logits(rows)[0], expected)


def last_head(**options) -> BERT4Rec:
    return bert4rec("relevance", relevance_head="last", **options)


def test_the_last_item_meets_the_candidates_with_the_mean_of_the_history():
    model, tokens = last_head(), torch.tensor([[0, 2, 3]])
    mean = (model.items.weight[2] + model.items.weight[3]) / 2
    user = model.user_norm(hidden(model, tokens)[0, -1] + 0.5 * 8**0.5 * mean)
    expected = F.linear(user, *model.item_weight())
    torch.testing.assert_close(model.score_next(tokens)[0], expected)


def test_a_history_of_padding_leaves_the_biases():
    model, biases = last_head(), last_head().item_weight()[1].expand(2, N)
    for width in (0, 3):
        assert torch.equal(model.score_next(torch.zeros(2, width, dtype=torch.int64)), biases)


def test_what_stands_behind_a_prefix_is_as_a_history_up_to_there():
    model, tokens = last_head(num_layers=1), torch.tensor([[1, 2, 3, 4, 5]])
    users = model(tokens, None, torch.tensor([3]))
    for stop in (
        3,
        4,
        5,
    ):  # one layer reads the items alone, so how those saw each other is all one
        torch.testing.assert_close(users[0, stop - 1], model(tokens[:, :stop])[0, -1])


@pytest.mark.parametrize("prefix", [1, 3, 5])
def test_no_place_from_the_last_of_the_prefix_on_sees_a_later_item(prefix):
    model, tokens = last_head(), torch.tensor([[1, 2, 3, 4, 5]])
    users = model(tokens, None, torch.tensor([prefix]))
    for place in range(prefix - 1, 5):
        changed = tokens.clone()
        changed[:, place + 1 :] = 9
        found = model(changed, None, torch.tensor([prefix]))
        torch.testing.assert_close(found[0, place], users[0, place])


def test_a_prefix_is_read_both_ways():
    model, tokens = last_head(), torch.tensor([[1, 2, 3, 4, 5]])
    one, three = (model(tokens, None, torch.tensor([n])) for n in (1, 3))
    assert not torch.allclose(one[0, 0], three[0, 0])
    changed = model(torch.tensor([[1, 2, 9, 4, 5]]), None, torch.tensor([3]))
    assert not torch.allclose(changed[0, 0], three[0, 0])
    torch.testing.assert_close(model(tokens, None, torch.tensor([5])), model(tokens))


def test_the_padding_behind_a_prefix_changes_nothing():
    model, prefixes = last_head(), torch.tensor([2])
    users = model(torch.tensor([[1, 2, 3]]), None, prefixes)
    padded = model(torch.tensor([[1, 2, 3, 0, 0]]), None, prefixes)
    torch.testing.assert_close(padded[:, :3], users, rtol=1e-5, atol=1e-6)


def test_a_candidate_inside_cannot_score_the_catalogue():
    with pytest.raises(DataError, match="relevance_head = 'pooled'"):
        bert4rec("relevance", relevance_head="inside").score_next(torch.tensor([[1]]))


def test_attention_reads_no_padding():
    model = bert4rec().layers[0].attention
    hidden = torch.randn(1, 3, 8)
    keys = torch.tensor([[False, True, True]])[:, None, None]
    changed = hidden.clone()
    changed[0, 0] = 100.0
    assert torch.equal(model(hidden, keys)[:, 1:], model(changed, keys)[:, 1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_softmax_of_scaled_products_and_the_bias_of_their_distance(dtype):
    model = bert4rec(num_heads=1).layers[0].attention
    hidden = torch.randn(1, 3, 8)
    query, key, value = model.qkv(hidden).split(8, dim=-1)
    learned = model.distance_bias.detach()
    bias = torch.tensor([[learned[11 + j - i] for j in range(3)] for i in range(3)])
    expected = torch.softmax(query @ key.transpose(1, 2) / 8**0.5 + bias, dim=-1) @ value
    keys = torch.ones(1, 1, 1, 3, dtype=torch.bool)
    close = {} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    found = model.to(dtype)(hidden.to(dtype), keys).float()
    torch.testing.assert_close(found, expected, **close)


def test_attention_starts_without_a_bias():
    torch.manual_seed(0)
    model = BERT4Rec(N, BERT4RecConfig(**SMALL), "next_item")
    assert not any(layer.attention.distance_bias.any() for layer in model.layers)


def test_dropout_acts_in_training_alone():
    for options in ({"dropout": 0.5}, {"dropout": 0.0, "attention_dropout": 0.5}):
        model, tokens = bert4rec(**options), torch.tensor([[1, 2, 3]])
        assert torch.equal(model(tokens), model(tokens))
        model.train()
        assert not torch.equal(model(tokens), model(tokens))


@pytest.mark.parametrize("task", ["next_item", "relevance"])
def test_the_user_vector_has_a_dropout_of_its_own(task):
    def users(**options):
        model = bert4rec(task, **options).train()
        return model._users(torch.tensor([[1, 2, 3], [0, 4, 5]]))

    assert (users(dropout=0.5, output_dropout=0.0) != 0).all()
    dropped, whole = users(dropout=0.0, output_dropout=0.5), users(dropout=0.0)
    kept = dropped != 0
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


def test_token_dropout_takes_whole_vectors_of_items_in_training_alone():
    model, tokens = bert4rec(token_dropout=0.5), torch.tensor([[1, 2, 3, 4, 5, 6, 7, MASK] * 8])
    whole = model.items(tokens)
    assert torch.equal(model._vectors(tokens), whole)
    seen = model.train()._vectors(tokens)
    kept = (seen != 0).any(dim=2)
    items = tokens != MASK
    assert 0 < (kept & items).sum() < items.sum()
    assert torch.equal(seen[kept | ~items], whole[kept | ~items])


def test_token_dropout_leaves_the_candidate():
    model = bert4rec("relevance", relevance_head="inside", token_dropout=0.9).train()
    tokens = torch.tensor([[1, 7], [1, 8]] * 8)
    first, second = model.pair_logits(tokens).view(-1, 2).unbind(1)
    assert len(first.unique()) == len(second.unique()) == 2  # with the item and without it
    assert not torch.isin(first, second).any()


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": 16}, {"num_layers": 3}, {"ff_multiplier": 2}, {"max_seq_len": 13}],
)
def test_every_size_changes_the_weights(change):
    def shapes(model):
        return [tuple(p.shape) for p in model.parameters()]

    assert shapes(bert4rec(**change)) != shapes(bert4rec())


def test_the_number_of_heads_changes_the_output():
    tokens = torch.tensor([[1, 2, 3]])
    assert not torch.allclose(bert4rec()(tokens), bert4rec(num_heads=4)(tokens))


@pytest.mark.parametrize(
    "option",
    [
        {"hidden_size": 0},
        {"num_layers": 0},
        {"num_heads": 3},
        {"ff_multiplier": 0},
        {"dropout": 1.0},
        {"output_dropout": 1.0},
        {"token_dropout": 1.0},
        {"attention_dropout": -0.1},
        {"layer_scale": -0.1},
        {"layer_scale": 1.1},
        {"max_seq_len": 1},
        {"max_seq_len": 65_537},
        {"relevance_head": "outside"},
    ],
)
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ConfigError, match=f"bert4rec.{next(iter(option))}"):
        BERT4RecConfig(**option)


def test_layer_scale_multiplies_what_each_sublayer_adds():
    hidden, keys = torch.randn(2, 3, 8), torch.ones(2, 1, 1, 3, dtype=torch.bool)
    scaled, plain = bert4rec(layer_scale=0.5).layers[0], bert4rec().layers[0]
    expected, weights = scaled(hidden, keys), scaled.state_dict()
    factors = {"attention": weights.pop("attention_scale.weight")}
    factors["forward"] = weights.pop("forward_scale.weight")
    for sublayer, factors_D in factors.items():
        weights[f"{sublayer}_output.weight"] = (
            factors_D[:, None] * weights[f"{sublayer}_output.weight"]
        )
        weights[f"{sublayer}_output.bias"] = factors_D * weights[f"{sublayer}_output.bias"]
    plain.load_state_dict(weights)
    torch.testing.assert_close(plain(hidden, keys), expected)


def test_layer_scales_start_where_the_option_says():
    model = BERT4Rec(N, BERT4RecConfig(**SMALL, layer_scale=0.25), "next_item")
    scales = {n: p for n, p in model.named_parameters() if "_scale" in n}
    assert len(scales) == 4
    assert all((scale == 0.25).all() for scale in scales.values())


def test_an_unknown_task_is_refused():
    with pytest.raises(ConfigError, match="did you mean `next_item`"):
        BERT4Rec(N, BERT4RecConfig(), "next_itm")


def test_the_names_of_the_weights_are_stable():
    layer = {
        "attention_norm.weight", "attention_norm.bias", "attention.qkv.weight",
        "attention.qkv.bias", "attention.distance_bias", "attention_output.weight",
        "attention_output.bias", "forward_norm.weight", "forward_norm.bias",
        "forward_inner.weight", "forward_inner.bias", "forward_output.weight",
        "forward_output.bias",
    }  # fmt: skip
    shared = {"positions", "norm.weight", "norm.bias", "items.weight"}
    shared |= {f"layers.{i}.{name}" for i in (0, 1) for name in layer}
    assert set(Layer(BERT4RecConfig()).state_dict()) == layer
    scaled = layer | {"attention_scale.weight", "forward_scale.weight"}
    assert set(Layer(BERT4RecConfig(layer_scale=0.1)).state_dict()) == scaled
    assert set(bert4rec().state_dict()) == (
        shared | {"items.bias", "mean_weight", "user_norm.weight", "user_norm.bias"}
    )
    assert set(bert4rec("relevance", relevance_head="pooled").state_dict()) == (
        shared | {"items.bias"}
    )
    user = {"items.bias", "mean_weight", "user_norm.weight", "user_norm.bias"}
    assert set(last_head().state_dict()) == (shared - {"positions"} | user)
    assert set(bert4rec("relevance", relevance_head="inside").state_dict()) == (
        shared | {"candidate_type", "relevance.weight", "relevance.bias"}
    )


def test_attention_in_bfloat16_is_near_the_fused_one():
    model = bert4rec().layers[0].attention
    hidden = torch.randn(2, 3, 8)
    keys = torch.tensor([[True, True, False], [True, False, True]])[:, None, None]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(hidden, keys)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), model(hidden, keys), rtol=0.05, atol=0.02)
