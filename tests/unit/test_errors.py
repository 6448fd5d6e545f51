"""Errors reach who waits for them, in another process too."""

from __future__ import annotations

import pickle

import pytest

from seqrec.errors import (
    InterruptedRunError,
    OutOfMemoryError,
    ResourceError,
    named_out_of_memory,
    named_refused_thread,
)


def test_an_error_with_its_signal_goes_through_a_pool():
    error = pickle.loads(pickle.dumps(InterruptedRunError("stopped", signal_number=15)))
    assert (str(error), error.exit_code) == ("stopped", 143)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3. TiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("could not create a primitive"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    ],
)
def test_memory_that_runs_out_is_an_error_of_ours(error):
    said = f"out of memory: {error}; ask for less"
    with pytest.raises(OutOfMemoryError, match=said) as caught, named_out_of_memory():
        raise error
    assert (caught.value.exit_code, caught.value.__cause__) == (5, error)


@pytest.mark.parametrize("named", [named_out_of_memory, named_refused_thread])
def test_a_thread_that_the_system_refuses_is_an_error_of_ours(named):
    error = RuntimeError("can't start new thread")
    with pytest.raises(ResourceError, match="starts no more threads") as caught, named():
        raise error
    assert (caught.value.exit_code, caught.value.__cause__) == (5, error)


@pytest.mark.parametrize("named", [named_out_of_memory, named_refused_thread])
def test_another_error_stays_what_it_is(named):
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"), named():
        raise RuntimeError("shapes do not fit")
