from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import alias as reference
from seqrec import _core
from seqrec.errors import DataError

weight_lists = st.lists(st.floats(0, 1e300) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=30)


@given(weight_lists.filter(any))
def test_alias_table_equals_its_twin(weights):
    thresholds, aliases = reference.alias_table(weights)
    wanted = [t << 32 | alias for t, alias in zip(thresholds, aliases, strict=True)]
    assert _core.alias_table(np.array(weights)).tolist() == wanted


@given(weight_lists.filter(any))
def test_the_columns_of_an_alias_table_add_up_to_the_weights(weights):
    columns = _core.alias_table(np.array(weights))
    kept = (columns >> np.uint64(32)) / 2.0**32
    aliases = columns.astype(np.uint32).astype(np.int64)
    mass = kept + np.bincount(aliases - 1, weights=1 - kept, minlength=len(weights))
    shares = np.array(weights) / max(weights)
    np.testing.assert_allclose(mass, len(weights) * shares / shares.sum(), atol=30 * 2.0**-32)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], "weight of item 2 is -1"),
        ([np.nan], "weight of item 1 is NaN"),
        ([1, np.inf], "weight of item 2 is inf"),
        ([0, 0], "weight of item 1 is 0"),
        ([], "`weights` has length 0"),
    ],
)
def test_wrong_weights_are_named(weights, message):
    with pytest.raises(DataError, match=message):
        _core.alias_table(np.array(weights, dtype=np.float64))
