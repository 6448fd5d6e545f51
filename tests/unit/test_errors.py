"""Errors reach who waits for them, in another process too."""

from __future__ import annotations

import pickle

from seqrec.errors import InterruptedRunError


def test_an_error_with_its_signal_goes_through_a_pool():
    error = pickle.loads(pickle.dumps(InterruptedRunError("stopped", signal_number=15)))
    assert (str(error), error.exit_code) == ("stopped", 143)
