from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import text
from reference import vocab as reference
from seqrec import _core
from seqrec.errors import DataError

far = st.integers(-(2**63), 2**63 - 1)
near = st.integers(-5, 30)
names = st.text(st.characters(codec="utf-8"), max_size=6)


def encode_integers(ids):
    codes, vocabulary = _core.encode_integers(np.array(ids, dtype=np.int64))
    return codes.tolist(), vocabulary.tolist()


@given(st.lists(near) | st.lists(far) | st.lists(st.sampled_from([-(2**63), 0, 2**63 - 1])))
def test_integers_equal_their_twin(ids):
    assert encode_integers(ids) == reference.encode_integers(ids)


@given(st.lists(names))
def test_strings_equal_their_twin(ids):
    codes, *vocabulary = _core.encode_strings(*text.pack(ids))
    assert (codes.tolist(), text.unpack(*vocabulary)) == reference.encode_strings(ids)


def test_worked_example():
    assert encode_integers([30, -1, 30, 7]) == ([2, 0, 2, 1], [-1, 7, 30])


def test_integers_sort_as_numbers_and_strings_as_bytes():
    assert encode_integers([10, 9])[0] == [1, 0]
    assert _core.encode_strings(*text.pack(["10", "9", "é", "z"]))[0].tolist() == [0, 1, 3, 2]


def test_ids_beyond_the_floats_stay_apart():
    assert encode_integers([2**53 + 1, 2**53]) == ([1, 0], [2**53, 2**53 + 1])


def test_a_slice_of_a_longer_column_of_strings_is_read():
    offsets, data = text.pack(["x", "b", "a", "y"])
    assert _core.encode_strings(offsets[1:4], data)[0].tolist() == [1, 0]


def test_nothing_has_no_codes():
    assert encode_integers([]) == ([], [])
    codes, offsets, data = _core.encode_strings(*text.pack([]))
    assert (codes.tolist(), offsets.tolist(), data.tolist()) == ([], [0], [])


def test_dtypes_are_those_of_the_contract():
    assert [a.dtype for a in _core.encode_integers(np.array([1]))] == [np.int32, np.int64]
    found = [array.dtype for array in _core.encode_strings(*text.pack(["a"]))]
    assert found == [np.int32, np.int64, np.uint8]


@pytest.mark.parametrize("offsets", [[], [0, 4], [-1, 2], [0, 2, 1]])
def test_offsets_that_are_no_strings_are_refused(offsets):
    with pytest.raises(DataError, match="`offsets`"):
        _core.encode_strings(np.array(offsets, dtype=np.int64), np.zeros(3, dtype=np.uint8))


@pytest.mark.parametrize("dtype", [np.float64, np.uint64, np.int32, object, bool])
def test_integers_of_another_type_are_refused(dtype):
    with pytest.raises(TypeError, match="ids"):
        _core.encode_integers(np.array([1, 2], dtype=dtype))


def test_same_codes_for_any_number_of_threads(same_bytes):
    rng = np.random.default_rng(0)
    for high in (1000, 2**62):
        ids = rng.integers(-high, high, 200_000)
        assert same_bytes(lambda ids=ids: _core.encode_integers(ids))
    packed = text.pack([f"user-{i}" for i in rng.integers(0, 500, 20_000)])
    assert same_bytes(lambda: _core.encode_strings(*packed))
