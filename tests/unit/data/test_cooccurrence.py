import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from seqrec import _core
from seqrec.data import cooccurrence
from seqrec.data.cooccurrence import item_vectors, positive_pmi, widest_window
from seqrec.data.sequences import Sequences
from seqrec.errors import ConfigError


def reference_pmi(sequences: list[list[int]], n_items: int, window: int) -> np.ndarray:
    counts = np.zeros((n_items, n_items))
    for items in sequences:
        for i, one in enumerate(items):
            for distance, other in enumerate(items[i + 1 : i + 1 + window], start=1):
                if one != other:
                    counts[one - 1, other - 1] += 1 / distance
                    counts[other - 1, one - 1] += 1 / distance
    totals = counts.sum(axis=1)
    pmi = np.zeros_like(counts)
    for i, j in np.argwhere(counts):
        pmi[i, j] = max(np.log(counts[i, j] * counts.sum() / (totals[i] * totals[j])), 0)
    return pmi


@pytest.fixture
def walks() -> list[list[int]]:
    rng = np.random.default_rng(5)
    return [rng.integers(1, 31, size=rng.integers(0, 12)).tolist() for _ in range(60)]


def test_pmi_is_that_of_the_formula(walks):
    pmi = positive_pmi(Sequences.from_lists(walks), 32, window=3)
    np.testing.assert_allclose(pmi.toarray(), reference_pmi(walks, 32, 3), atol=1e-12)


def test_pmi_takes_few_bytes_for_each_pair():
    rng = np.random.default_rng(0)
    train = Sequences.from_lists([rng.integers(1, 401, size=80).tolist() for _ in range(100)])
    n_pairs = len(_core.weigh_pairs(train.items, train.starts, train.stops, 50)[0])
    tracemalloc.start()  # sees what NumPy and SciPy take, not the kernel
    positive_pmi(train, 400, window=50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * n_pairs


def test_inner_products_rebuild_pmi_at_full_rank(walks):
    train = Sequences.from_lists(walks)
    vectors = item_vectors(train, 30, 30, window=5).astype(np.float64)
    left, values, _ = np.linalg.svd(positive_pmi(train, 30, window=5).toarray())
    wanted = (left * values) @ left.T
    got = vectors @ vectors.T
    np.testing.assert_allclose(got * (wanted[0, 0] / got[0, 0]), wanted, atol=1e-4)


def test_the_truncated_solver_agrees_with_the_dense_one(walks):
    train = Sequences.from_lists(walks)
    narrow, wide = item_vectors(train, 30, 4), item_vectors(train, 30, 30)[:, :4]
    scale = narrow[0, 0] / wide[0, 0]
    np.testing.assert_allclose(narrow, wide * scale, atol=1e-4)


@pytest.fixture
def groups() -> Sequences:
    """Users who each stay within one of eight groups of ten items: eight components stand out."""
    rng = np.random.default_rng(6)
    return Sequences.from_lists(
        [(rng.integers(1, 11, size=12) + 10 * (user % 8)).tolist() for user in range(400)]
    )


@pytest.mark.parametrize(
    ("limit", "most"), [("MOST_EXACT", 89), ("MOST_EXACT_NUMBERS", 90 * 8 - 1)]
)
def test_the_solver_of_large_catalogues_finds_what_stands_out(groups, monkeypatch, limit, most):
    exact = item_vectors(groups, 90, 8).astype(np.float64)
    monkeypatch.setattr(cooccurrence, limit, most + 1)
    assert item_vectors(groups, 90, 8).tobytes() == exact.astype(np.float32).tobytes()
    monkeypatch.setattr(cooccurrence, limit, most)
    monkeypatch.setattr(cooccurrence, "OVERSAMPLED", 4)
    near = item_vectors(groups, 90, 8)
    assert near.tobytes() != exact.astype(np.float32).tobytes()
    assert near.tobytes() == item_vectors(groups, 90, 8).tobytes()
    assert not near[80:].any()  # nobody took the last ten items
    np.testing.assert_allclose(near @ near.T, exact @ exact.T, atol=2e-4)


def test_the_solver_of_large_catalogues_knows_a_low_rank(monkeypatch):
    monkeypatch.setattr(cooccurrence, "MOST_EXACT", 0)
    vectors = item_vectors(Sequences.from_lists([[1, 2], [3, 4]]), 9, 6)
    assert np.isfinite(vectors).all()
    assert not vectors[4:].any()
    np.testing.assert_allclose(vectors[0] @ vectors[2], 0, atol=1e-6)


def test_the_same_part_gives_the_same_bytes(walks):
    train = Sequences.from_lists(walks)
    assert item_vectors(train, 30, 8).tobytes() == item_vectors(train, 30, 8).tobytes()


@pytest.mark.parametrize("most_exact", [0, cooccurrence.MOST_EXACT])
def test_any_number_of_blas_threads_gives_the_same_bytes(monkeypatch, most_exact):
    monkeypatch.setattr(cooccurrence, "MOST_EXACT", most_exact)
    rng = np.random.default_rng(7)
    train = Sequences.from_lists([rng.integers(1, 3001, size=12).tolist() for _ in range(2000)])
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(item_vectors(train, 3000, 128))
    assert found[0].tobytes() == found[1].tobytes()


def test_threads_that_ask_at_once_leave_blas_as_it_was(walks):
    train, before = Sequences.from_lists(walks), threadpool_info()
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(item_vectors, train, 30, 8) for _ in range(12)]
        assert len({vectors.result().tobytes() for vectors in found}) == 1
    assert threadpool_info() == before


def test_entries_have_the_wanted_size(walks):
    vectors = item_vectors(Sequences.from_lists(walks), 30, 8, std=0.05)
    assert vectors.dtype == np.float32
    assert np.sqrt((vectors**2).mean()) == pytest.approx(0.05, rel=1e-5)


def test_items_outside_training_have_zeros(walks):
    vectors = item_vectors(Sequences.from_lists(walks), 33, 8)
    np.testing.assert_allclose(vectors[30:], 0, atol=1e-12)
    assert (np.abs(vectors[:30]).max(axis=1) > 1e-3).all()


def test_a_catalogue_smaller_than_the_width_is_padded_with_zeros():
    vectors = item_vectors(Sequences.from_lists([[1, 2], [2, 1], [3, 1]]), 3, 16)
    assert vectors.shape == (3, 16)
    assert (vectors[:, 3:] == 0).all()
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("lists", [[[1], [2]], [[1, 1, 1]], [], [[]]])
def test_without_two_items_together_all_is_zero(lists):
    assert (item_vectors(Sequences.from_lists(lists), 3, 2) == 0).all()


def test_the_window_is_the_widest_that_memory_allows(monkeypatch):
    train = Sequences.from_lists([[1, 2, 3, 4, 5], [1, 2, 3]])  # 6, 4, 2, 1 pairs by distance
    assert widest_window(train) == cooccurrence.WIDEST_WINDOW
    for most, wanted in ((13, cooccurrence.WIDEST_WINDOW), (12, 3), (10, 2), (9, 1), (0, 1)):
        monkeypatch.setattr(cooccurrence, "MOST_NEAR", most)
        assert widest_window(train) == wanted


def test_without_a_window_it_is_the_widest(walks, monkeypatch):
    train = Sequences.from_lists(walks)
    whole = item_vectors(train, 30, 8, window=12)
    assert item_vectors(train, 30, 8).tobytes() == whole.tobytes()
    monkeypatch.setattr(cooccurrence, "MOST_NEAR", 1)
    assert item_vectors(train, 30, 8).tobytes() == item_vectors(train, 30, 8, window=1).tobytes()


def test_held_out_items_change_nothing(make_log):
    rows = [(user, (user + place * 2) % 9) for user in range(20) for place in range(6)]
    swapped = [
        (user, (user * 5) % 9 if i % 6 >= 4 else item) for i, (user, item) in enumerate(rows)
    ]
    one, other = make_log(*rows).split(), make_log(*swapped).split()
    assert one.dataset.n_items == other.dataset.n_items
    vectors = [item_vectors(split.train, split.dataset.n_items, 4) for split in (one, other)]
    assert vectors[0].tobytes() == vectors[1].tobytes()


def test_items_that_stand_together_point_together():
    lists = [[1, 2, 3], [3, 2, 1], [4, 5, 6], [6, 5, 4]] * 5
    vectors = item_vectors(Sequences.from_lists(lists), 6, 2)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = np.abs(unit @ unit.T)
    assert similar[0, 2] > 0.9
    assert similar[0, 3] < 0.1


@pytest.mark.parametrize("wrong", [{"width": 0}, {"width": 2, "window": 0}, {"width": 2, "std": 0}])
def test_wrong_options_are_named(wrong):
    with pytest.raises(ConfigError):
        item_vectors(Sequences.from_lists([[1, 2]]), 2, **wrong)
