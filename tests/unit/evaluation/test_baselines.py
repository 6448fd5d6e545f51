import tracemalloc

import numpy as np
import pytest

from seqrec.data.sequences import Sequences
from seqrec.errors import ConfigError, ResourceError
from seqrec.evaluation.baselines import EASE, ItemKNN, Markov, Popularity, item_knn
from seqrec.evaluation.scorers import pairs_by_column

TRAIN = Sequences.from_lists([[1, 2, 3], [1, 2], [2, 3, 1], [4], [2, 1, 2]])
N = 5
USERS = np.array([0, 3], dtype=np.int32)


def taken() -> np.ndarray:
    matrix = np.zeros((TRAIN.n_users, N))
    for user in range(TRAIN.n_users):
        matrix[user, TRAIN.user(user) - 1] = 1
    return matrix


def random_train(n_users=60, n_items=40) -> Sequences:
    rng = np.random.default_rng(0)
    lists = [(rng.zipf(1.5, rng.integers(1, 9)) % n_items + 1).tolist() for _ in range(n_users)]
    return Sequences.from_lists(lists)


def test_popularity_is_the_smoothed_share_of_events():
    # counts 4, 5, 2, 1, 0 of 12
    expected = np.log(np.array([5, 6, 3, 2, 1]) / 17)
    np.testing.assert_allclose(Popularity.fit(TRAIN, N)(TRAIN, USERS), [expected] * 2, rtol=1e-6)


def test_markov_counts_what_followed_the_last_item():
    # after 3: item 1, once; after 4: nothing, so popularity is left
    shares = np.array([5, 6, 3, 2, 1]) / 17
    after_3 = np.log((np.array([1, 0, 0, 0, 0]) + 100 * shares) / 101)
    expected = [after_3, np.log(shares)]
    np.testing.assert_allclose(Markov.fit(TRAIN, N)(TRAIN, USERS), expected, rtol=1e-6)


def test_markov_does_not_count_across_users():
    transitions = Markov.fit(TRAIN, N).transitions.toarray()
    assert transitions.sum() == 2 + 1 + 2 + 0 + 2
    assert transitions[3, 0] == 1  # 3 then 1, inside user 2 alone


def test_markov_gives_popularity_to_an_empty_history():
    empty = Sequences.from_lists([[]])
    nobody = np.zeros(1, dtype=np.int32)
    popular = Popularity.fit(TRAIN, N)(empty, nobody)
    np.testing.assert_allclose(Markov.fit(TRAIN, N)(empty, nobody), popular, rtol=1e-6)


def test_markov_rows_are_distributions():
    scores = Markov.fit(TRAIN, N)(TRAIN, np.arange(5, dtype=np.int32))
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)


def brute_force_knn(train: Sequences, n_items: int, k: int, shrinkage: float, user: int):
    matrix = np.zeros((train.n_users, n_items))
    for u in range(train.n_users):
        matrix[u, train.user(u) - 1] = 1
    norms = np.maximum(np.linalg.norm(matrix, axis=0), 1)
    similar = (matrix.T @ matrix / (np.outer(norms, norms) + shrinkage)).astype(np.float32)
    np.fill_diagonal(similar, -1)
    scores = np.zeros(n_items)
    for item in set(train.user(user).tolist()):
        row = similar[item - 1]
        nearest = np.lexsort((np.arange(n_items), -row))[:k]
        scores[nearest] += np.maximum(row[nearest], 0)
    return scores


@pytest.mark.parametrize("k", [1, 3, 100])
@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_item_knn_is_the_brute_force_sum(k, shrinkage):
    train = random_train()
    knn = ItemKNN.fit(train, 40, neighbours=k, shrinkage=shrinkage)
    scores = knn(train, np.arange(60, dtype=np.int32))
    expected = [brute_force_knn(train, 40, k, shrinkage, user) for user in range(60)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_an_item_is_not_its_own_neighbour():
    assert ItemKNN.fit(TRAIN, N).similarities.diagonal().tolist() == [0] * N


def test_item_knn_does_not_depend_on_how_many_items_are_dense_at_once(monkeypatch):
    train = random_train()
    whole = ItemKNN.fit(train, 40, neighbours=5).similarities
    monkeypatch.setattr(item_knn, "_DENSE", 3 * 40 + 1)
    assert (ItemKNN.fit(train, 40, neighbours=5).similarities != whole).nnz == 0


def test_memory_of_item_knn_is_its_budget_and_not_the_catalogue(monkeypatch):
    monkeypatch.setattr(item_knn, "_DENSE", 2**20)
    tracemalloc.start()
    ItemKNN.fit(random_train(n_items=20_000), 20_000, neighbours=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 4 * 2**20  # 512 items at once would take 41 MB in float32 alone


def test_ease_solves_the_constrained_ridge_regression():
    # column j is the ridge regression of item j on the other items
    train, l2 = random_train(), 5.0
    matrix = np.zeros((60, 40))
    for user in range(60):
        matrix[user, train.user(user) - 1] = 1
    expected = np.zeros((40, 40))
    for j in range(40):
        others = np.delete(np.arange(40), j)
        x, y = matrix[:, others], matrix[:, j]
        expected[others, j] = np.linalg.solve(x.T @ x + l2 * np.eye(39), x.T @ y)
    ease = EASE.fit(train, 40, l2=l2)
    np.testing.assert_allclose(ease.weights, expected, atol=1e-6)
    scores = ease(train, np.arange(60, dtype=np.int32))
    np.testing.assert_allclose(scores, matrix @ expected, atol=1e-5)


def test_ease_refuses_a_catalogue_that_is_too_large():
    with pytest.raises(ResourceError, match="at most 20,000 items: use item-kNN"):
        EASE.fit(TRAIN, 20_001)


def test_ease_needs_a_penalty():
    with pytest.raises(ConfigError, match="`l2` is 0"):
        EASE.fit(TRAIN, N, l2=0)


@pytest.mark.parametrize("baseline", [Popularity, Markov, ItemKNN, EASE])
def test_scores_are_finite_float32_of_the_whole_catalogue(baseline):
    scores = baseline.fit(TRAIN, N)(TRAIN, np.arange(5, dtype=np.int32))
    assert scores.dtype == np.float32
    assert scores.shape == (5, N)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("baseline", [Popularity, Markov, ItemKNN, EASE])
def test_pair_scores_are_columns_of_the_catalogue(baseline):
    fitted = baseline.fit(TRAIN, N)
    candidates = np.array([[3, 1], [5, 5]], dtype=np.int32)
    pairs, scores = pairs_by_column(fitted)(TRAIN, USERS, candidates), fitted(TRAIN, USERS)
    np.testing.assert_array_equal(pairs, [scores[0, [2, 0]], scores[1, [4, 4]]])
