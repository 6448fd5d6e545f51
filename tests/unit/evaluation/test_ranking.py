import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqrec.data.sequences import Sequences
from seqrec.errors import DataError
from seqrec.evaluation.ranking import count, count_on_device, ranks
from seqrec.evaluation.scorers import host_scores

HISTORIES = Sequences.from_lists([[1, 2, 2], [], [5], [3, 4, 5]])


@given(
    st.lists(st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5]), min_size=5, max_size=5),
             min_size=1, max_size=4),
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.booleans(),
)  # fmt: skip
def test_the_device_counts_what_the_kernel_counts(rows, targets, filter_seen):
    scores = np.array(rows, dtype=np.float32)
    users = np.arange(len(rows), dtype=np.int32)
    wanted = np.array(targets[: len(rows)], dtype=np.int32)
    one = count(scores, wanted, HISTORIES, users, filter_seen=filter_seen)
    tensor = torch.from_numpy(scores)
    two = count_on_device(tensor, wanted, HISTORIES, users, filter_seen=filter_seen)
    for name in ("greater", "equal", "equal_before"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_counts_what_the_kernel_counts():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, (4, 5)).astype(np.float32)
    users, targets = np.arange(4, dtype=np.int32), np.array([1, 2, 5, 1], dtype=np.int32)
    one = count(scores, targets, HISTORIES, users, filter_seen=True)
    tensor = torch.from_numpy(scores).cuda()
    two = count(tensor, targets, HISTORIES, users, filter_seen=True)
    np.testing.assert_array_equal(ranks(one, "mean"), ranks(two, "mean"))


def test_the_device_refuses_nan():
    users = np.array([0], dtype=np.int32)
    with pytest.raises(DataError, match="finite"):
        count_on_device(
            torch.tensor([[1.0, float("nan")]]), users + 1, HISTORIES, users, filter_seen=False
        )


def test_a_float32_tensor_is_not_copied():
    tensor = torch.zeros(2, 3)
    assert np.shares_memory(host_scores(tensor), tensor.numpy())


def test_half_precision_scores_rank_as_their_exact_values():
    scores = torch.tensor([[1.0, 1.0009765625, 1.0]], dtype=torch.float16)
    users, targets = np.array([1], dtype=np.int32), np.array([1], dtype=np.int32)
    counts = count(scores, targets, HISTORIES, users, filter_seen=False)
    assert ranks(counts, "mean").tolist() == [2.5]


def test_a_filtered_target_has_an_infinite_rank():
    users = np.array([2], dtype=np.int32)
    counts = count(
        np.zeros((1, 5), np.float32), np.array([5], np.int32), HISTORIES, users, filter_seen=True
    )
    assert np.isinf(ranks(counts, "mean")).all()
