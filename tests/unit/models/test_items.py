from __future__ import annotations

import pytest
import torch

from seqrec.errors import DataError
from seqrec.models.items import ItemTable


def test_pad_is_the_zero_vector_and_learns_nothing():
    table = ItemTable(3, 2)
    vectors = table(torch.tensor([[0, 2]]))
    vectors.sum().backward()
    assert vectors[0, 0].tolist() == [0.0, 0.0]
    assert table.weight.grad.sum(dim=1).tolist() == [0.0, 0.0, 2.0, 0.0]


def test_column_j_of_the_scores_is_item_j_plus_one():
    table = ItemTable(2, 2, n_added=1)
    table.start(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    table.bias.data = torch.tensor([0.5, -0.5])
    user = torch.tensor([[2.0, 1.0]])
    assert table.scores(user).tolist() == [[2.5, 2.5]]
    assert table.pair_scores(user, torch.tensor([[2, 1, 1]])).tolist() == [[2.5, 2.5, 2.5]]


def test_pair_scores_are_the_scores_of_the_pairs():
    table, users = ItemTable(7, 4), torch.randn(3, 4)
    candidates = torch.tensor([[1, 7], [2, 2], [5, 3]])
    expected = table.scores(users).gather(1, candidates - 1)
    torch.testing.assert_close(table.pair_scores(users, candidates), expected)


def test_row_scores_are_the_pair_scores_of_each_place():
    table, users_BLD = ItemTable(7, 4), torch.randn(3, 2, 4)
    table.bias.data = torch.randn(7)
    candidates_BC = torch.tensor([[1, 7, 4], [2, 2, 6], [5, 3, 1]])
    scores_BLC = table.row_scores(users_BLD, candidates_BC)
    for place in range(2):
        expected = table.pair_scores(users_BLD[:, place], candidates_BC)
        torch.testing.assert_close(scores_BLC[:, place], expected)


def test_start_vectors_touch_the_items_alone():
    table = ItemTable(2, 2, n_added=1)
    mask = table.weight[3].clone()
    table.start(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert table.weight[:3].tolist() == [[0, 0], [1, 2], [3, 4]]
    assert torch.equal(table.weight[3], mask)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (torch.zeros(3, 2), r"\[3, 2\], the item table needs \[2, 2\]"),
        (torch.tensor([[0.0, 1.0], [float("nan"), 1.0]]), "item 2 is not finite"),
    ],
)
def test_start_vectors_that_do_not_fit_are_refused(vectors, said):
    with pytest.raises(DataError, match=said):
        ItemTable(2, 2).start(vectors)


def test_biases_start_where_they_are_told_to():
    table = ItemTable(2, 2)
    table.start_biases(torch.tensor([0.5, -0.5]))
    assert table.bias.tolist() == [0.5, -0.5]


@pytest.mark.parametrize(
    ("biases", "said"),
    [
        (torch.zeros(3), r"\[3\], the item table needs \[2\]"),
        (torch.tensor([float("inf"), 1.0]), "start bias of item 1 is not finite"),
    ],
)
def test_start_biases_that_do_not_fit_are_refused(biases, said):
    with pytest.raises(DataError, match=said):
        ItemTable(2, 2).start_biases(biases)


def test_a_table_without_biases_scores_nothing():
    with pytest.raises(DataError, match="candidates"):
        ItemTable(2, 2, bias=False).scores(torch.zeros(1, 2))
