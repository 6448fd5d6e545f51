"""OpenMP's threads, on which PyTorch computes: how long one waits for the others by spinning."""

from __future__ import annotations

import os

SPINS = "100000"  # turns of libgomp's loop; its own choice is three times that


def wait_briefly() -> None:
    """Lets a thread that waits give up its core sooner; to be called before torch is imported.

    With as many threads as cores and another program beside them, some thread always waits for one
    that has no core, and spins on a core that this one could have. It concerns the whole process,
    so only the command line does it, and not where the environment says how to wait.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
