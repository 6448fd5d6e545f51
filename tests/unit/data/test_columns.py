import datetime as dt
import re

import numpy as np
import pyarrow as pa
import pytest

from seqrec.data.columns import encode_ids, encode_texts, read_ratings, read_times
from seqrec.errors import DataError


def where(row: int) -> str:
    return f"log, row {row}"


def ids(values, kind=None):
    column = pa.chunked_array([pa.array(values, type=kind)])
    codes, vocabulary = encode_ids(column, "item_id", where)
    return codes.tolist(), vocabulary.decode(np.arange(len(vocabulary))).tolist()


def texts(*values: str):
    column = pa.chunked_array([pa.array(values, pa.dictionary(pa.int32(), pa.string()))])
    codes, vocabulary = encode_texts(column, "item_id", where)
    return codes.tolist(), vocabulary.decode(np.arange(len(vocabulary))).tolist()


def times(values, kind=None):
    column = pa.chunked_array([pa.array(values, type=kind)])
    return read_times(column, "timestamp", where).tolist()


def test_integers_are_ordered_numerically():
    assert ids([10, 9, 10, -1]) == ([2, 1, 2, 0], [-1, 9, 10])


def test_strings_are_ordered_by_their_bytes():
    assert ids(["b", "é", "B", "10", "9"]) == ([3, 4, 2, 0, 1], ["10", "9", "B", "b", "é"])


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.uint16(), pa.uint64()])
def test_every_width_of_integers_is_read(kind):
    assert ids([7, 3], kind) == ([1, 0], [3, 7])


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
     pa.dictionary(pa.uint32(), pa.large_string())],
)  # fmt: skip
def test_every_kind_of_strings_is_read(kind):
    assert ids(["y", "x", "y"], kind) == ([1, 0, 1], ["x", "y"])


def test_chunks_with_dictionaries_of_their_own_agree():
    chunks = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()]
    codes, vocabulary = encode_ids(pa.chunked_array(chunks), "item_id", where)
    assert codes.tolist() == [1, 0, 2, 1]
    assert len(vocabulary) == 3


def test_categories_that_no_row_has_are_left_out():
    column = pa.DictionaryArray.from_arrays(pa.array([2, 2]), pa.array(["a", "b", "c"]))
    codes, vocabulary = encode_ids(pa.chunked_array([column]), "item_id", where)
    assert (codes.tolist(), vocabulary.decode(np.array([0])).tolist()) == ([0, 0], ["c"])


def test_a_sliced_column_keeps_its_rows():
    column = pa.chunked_array([pa.array(["a", "b", "c"])]).slice(1)
    codes, vocabulary = encode_ids(column, "item_id", where)
    assert (codes.tolist(), len(vocabulary)) == ([0, 1], 2)


def test_integers_beyond_2_to_the_53_stay_exact():
    assert ids([2**53 + 1, 2**53, 2**63 - 1])[1] == [2**53, 2**53 + 1, 2**63 - 1]


def test_an_integer_beyond_int64_names_row_and_value():
    with pytest.raises(DataError, match=r"row 2: column 'item_id' has 9223372036854775808.*text"):
        ids([5, 1, 2**63], pa.uint64())


def test_strings_of_special_tokens_are_ordinary_ids():
    assert ids(["[PAD]", "0", "", "[MASK]"])[1] == ["", "0", "[MASK]", "[PAD]"]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_a_null_id_names_its_row(kind):
    values = [1, 2, None] if kind == pa.int64() else ["a", "b", None]
    with pytest.raises(DataError, match="row 2: column 'item_id' is null"):
        ids(values, kind)


@pytest.mark.parametrize(
    ("read", "missing", "state"), [(ids, None, "null"), (lambda v: texts(*v), "", "empty")]
)
def test_how_many_rows_lack_an_id_is_said(read, missing, state):
    with pytest.raises(DataError, match=rf"row 1: .* is {state}; leave this row and 1 more out of"):
        read(["a", missing, "b", missing])
    with pytest.raises(
        DataError, match=rf"row 1: .* is {state}; leave this row out of the log, or"
    ):
        read(["a", missing])


def test_a_null_inside_a_dictionary_names_its_row():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None]))
    with pytest.raises(DataError, match="row 1: column 'item_id' is null"):
        encode_ids(pa.chunked_array([column]), "item_id", where)


def test_floats_are_refused_with_advice():
    with pytest.raises(DataError, match=r"holds floats \(1\.0\).*integers or strings"):
        ids([1.0, 2.0])


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_floats_that_hide_a_null_name_its_row(missing):
    with pytest.raises(DataError, match="row 1: column 'item_id' is null"):
        ids([1.0, missing, 2.0])


@pytest.mark.parametrize("values", [[True], [b"x"], [[1]], [{"a": 1}], [dt.date(2020, 1, 1)]])
def test_other_types_are_refused_and_named(values):
    with pytest.raises(DataError, match="column 'item_id' has type"):
        ids(values)


def test_a_column_of_nothing_but_nulls_is_refused():
    with pytest.raises(DataError, match="row 0: column 'item_id' is null"):
        ids([None, None])


def test_text_of_canonical_integers_becomes_integers():
    assert texts("10", "9", "-1") == ([2, 1, 0], [-1, 9, 10])


@pytest.mark.parametrize("odd", ["007", "1.0", "+5", " 5", "-0", "abc", "9223372036854775808", "é"])
def test_one_other_text_makes_the_column_strings(odd):
    assert set(texts("10", odd, "9")[1]) == {"10", odd, "9"}


def test_an_empty_text_names_its_row():
    with pytest.raises(DataError, match="row 2: column 'item_id' is empty"):
        texts("a", "b", "")


def test_datetimes_become_integers_of_their_unit():
    moment = dt.datetime(1970, 1, 1, 0, 0, 2)
    assert times([moment], pa.timestamp("s")) == [2]
    assert times([moment], pa.timestamp("ns", "UTC")) == [2_000_000_000]
    assert times([dt.date(1970, 1, 3)]) == [2]


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint64(), pa.float64()])
def test_numbers_become_int64(kind):
    assert times([3, 0], kind) == [3, 0]


def test_a_fraction_of_a_time_names_its_row():
    with pytest.raises(DataError, match=r"row 1: column 'timestamp' has 2\.5, no integer"):
        times([1.0, 2.5])


@pytest.mark.parametrize(
    ("value", "why"), [(float("inf"), "no integer"), (-(2.0**53), "floats skip integers")]
)
def test_a_float_time_that_is_no_exact_integer_is_refused(value, why):
    with pytest.raises(DataError, match=f"row 1: .*{why}"):
        times([2.0**53 - 1, value])


def test_one_time_written_as_a_float_costs_the_others_no_digits():
    assert times(["4", "5.0"]) == [4, 5]
    with pytest.raises(DataError, match=r"row 1: column 'timestamp' has '1\.7e18', and as"):
        times(["1700000000000000001", "1.7e18"])
    with pytest.raises(DataError, match="row 1: column 'timestamp' has inf, no integer"):
        times(["1", "inf"])


def test_dates_of_nanoseconds_keep_them():
    assert times(["1970-01-01 00:00:01", "1970-01-01 00:00:00.000000001"]) == [10**9, 1]


def test_what_is_no_time_at_all_is_not_said_to_be_one():
    with pytest.raises(DataError, match=r"row 0: .* has '03/01/2024'; times are .* ISO dates$"):
        times(["03/01/2024"])


def test_an_integer_time_beyond_int64_is_refused():
    with pytest.raises(DataError, match=r"row 1: column 'timestamp' has 18446744073709551615"):
        times([1, 2**64 - 1], pa.uint64())


@pytest.mark.parametrize(
    ("kind", "largest", "said"), [(np.float16, 2**11, "2^11"), (np.float32, 2**24, "2^24")]
)
def test_a_short_float_beyond_its_integers_is_refused(kind, largest, said):
    assert times(np.array([1, largest - 1], dtype=kind)) == [1, largest - 1]
    with pytest.raises(DataError, match=rf"row 1: .* a float beyond {re.escape(said)}, where"):
        times(np.array([1, largest], dtype=kind))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_time_names_its_row(missing):
    with pytest.raises(DataError, match="row 1: column 'timestamp' is null"):
        times([1.0, missing])


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["5", "-3"], [5, -3]), (["5.0", "6"], [5, 6]), (["1970-01-01 00:00:01.5"], [1_500_000]),
     (["1970-01-01T00:00:01Z"], [1_000_000])],
)  # fmt: skip
def test_times_as_text_are_read(values, expected):
    assert times(values) == expected


@pytest.mark.parametrize(
    ("values", "row"),
    [(["1", "2", "x"], 2), (["1", "", "2"], 1), (["2020-01-01", "2020-01-02", "7 May"], 2),
     (["x", "1"], 0), (["1", "99999999999999999999999x", "3", "y"], 1),
     (["9", "0x10", "8"], 1), (["0X10", "9"], 0)],
)  # fmt: skip
def test_a_text_that_is_no_time_names_its_row(values, row):
    with pytest.raises(DataError, match=f"row {row}: column 'timestamp'"):
        times(values)


def test_times_of_another_type_are_refused():
    with pytest.raises(DataError, match="has type bool"):
        times([True])


def test_a_missing_rating_is_nan():
    column = pa.chunked_array([pa.array(["4.5", ""])])
    ratings = read_ratings(column, "rating", where)
    assert ratings.dtype == np.float32
    np.testing.assert_array_equal(ratings, [4.5, np.nan])


def test_a_rating_that_is_no_number_names_its_row():
    column = pa.chunked_array([pa.array(["4", "good"])])
    with pytest.raises(DataError, match="row 1: column 'rating' has 'good', no number"):
        read_ratings(column, "rating", where)
