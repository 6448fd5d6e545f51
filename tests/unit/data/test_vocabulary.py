from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqrec.data.vocabulary import Vocabulary
from seqrec.errors import DataError


def integers(*ids: int) -> Vocabulary:
    return Vocabulary.from_integers(np.array(ids, dtype=np.int64))


def strings(*ids: str) -> Vocabulary:
    encoded = [text.encode() for text in ids]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return Vocabulary.from_strings(offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8))


def test_codes_are_places_in_the_order_of_the_ids():
    assert integers(-5, 2, 10).encode([10, -5, 2]).tolist() == [2, 0, 1]
    assert strings("a", "b10", "é").encode(["é", "a"]).tolist() == [2, 0]


def test_an_unknown_id_has_code_minus_one():
    assert integers(2, 10).encode([1, 3, 11, 10]).tolist() == [-1, -1, -1, 1]
    assert strings("b", "d").encode(["", "a", "c", "e", "d"]).tolist() == [-1, -1, -1, -1, 1]


def test_an_integer_beyond_int64_is_unknown():
    assert integers(2**63 - 1).encode([2**63, 2**63 - 1]).tolist() == [-1, 0]


def test_the_neighbours_of_2_to_the_53_stay_apart():
    assert integers(2**53, 2**53 + 1).encode([2**53 + 1, 2**53]).tolist() == [1, 0]


def test_integers_come_back_as_int64():
    raw = integers(-5, 2, 10).decode(np.array([[2, 0]]))
    assert raw.dtype == np.int64
    assert raw.tolist() == [[10, -5]]


def test_strings_come_back_as_text():
    assert strings("", "[MASK]", "007").decode(np.array([0, 2])).tolist() == ["", "007"]


def test_a_code_outside_the_vocabulary_is_named():
    with pytest.raises(DataError, match=r"code -1 is outside 0\.\.2"):
        integers(1, 2).decode(np.array([0, -1]))


@pytest.mark.parametrize("value", ["1", 1.0, None, True])
def test_ids_of_another_kind_are_refused(value):
    with pytest.raises(DataError, match="the raw ids of this data are integers"):
        integers(1, 2).encode([value])


def test_integers_are_refused_among_strings():
    with pytest.raises(DataError, match=r"id 7 \(place 1\) is int.*strings"):
        strings("a").encode(["a", 7])


def test_numpy_arrays_are_encoded_too():
    assert integers(3, 9).encode(np.array([9, 3], dtype=np.int32)).tolist() == [1, 0]
    assert strings("x").encode(np.array(["x"])).tolist() == [0]


def test_an_empty_vocabulary_knows_nobody():
    assert integers().encode([1]).tolist() == [-1]
    assert strings().encode(["a"]).tolist() == [-1]
    assert strings().texts()[0].tolist() == [0]


def test_texts_are_decimal_or_utf8():
    offsets, data = integers(-5, 10).texts()
    assert (offsets.tolist(), bytes(data)) == ([0, 2, 4], b"-510")
    offsets, data = strings("é", "日").texts()
    assert (offsets.tolist(), bytes(data)) == ([0, 2, 5], "é日".encode())


def test_a_subset_keeps_the_order():
    assert strings("a", "b", "c").subset(np.array([0, 2])).decode(np.array([0, 1])).tolist() == [
        "a",
        "c",
    ]


def test_texts_of_a_subset_start_at_zero():
    offsets, data = strings("aa", "b", "c").subset(np.array([1, 2])).texts()
    assert (offsets.tolist(), bytes(data)) == ([0, 1, 2], b"bc")


def test_bytes_that_are_no_utf8_are_refused():
    with pytest.raises(DataError, match="not an array of strings"):
        Vocabulary.from_strings(np.array([0, 1]), np.array([255], dtype=np.uint8))


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("vocabulary", [integers(-1, 5), strings("a", "", "日"), strings()])
def test_saved_and_loaded_is_the_same(tmp_path: Path, vocabulary: Vocabulary, mmap: bool):
    vocabulary.save(tmp_path, "users")
    loaded = Vocabulary.load(tmp_path, "users", mmap=mmap)
    assert loaded.ids.equals(vocabulary.ids)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"users\.offsets\.npy"):
        Vocabulary.load(tmp_path, "users")


def test_offsets_beyond_the_bytes_are_refused(tmp_path: Path):
    strings("abc").save(tmp_path, "users")
    np.save(tmp_path / "users.offsets.npy", np.array([0, 9]))
    with pytest.raises(DataError, match="does not fit"):
        Vocabulary.load(tmp_path, "users")


def test_a_pickled_array_is_never_opened(tmp_path: Path):
    np.save(tmp_path / "users.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"users\.npy"):
        Vocabulary.load(tmp_path, "users")


@given(st.sets(st.text(max_size=6)), st.lists(st.text(max_size=6), max_size=5))
def test_every_string_finds_its_place_and_no_other(ids: set[str], others: list[str]):
    ordered = sorted(ids, key=str.encode)
    wanted = [*ordered, *others]
    expected = [ordered.index(text) if text in ids else -1 for text in wanted]
    assert strings(*ordered).encode(wanted).tolist() == expected
