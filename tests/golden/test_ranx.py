"""Ranks and metrics against ranx (Bassani, ECIR 2022), on scores without ties."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest

from seqrec import _core

N_USERS, N_ITEMS = 40, 30


@pytest.fixture(scope="module")
def ranx():
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "invalid escape sequence")
        import numba
        from numba.typed import Dict, List  # noqa: F401 - they do not work uncompiled

        # Compiling ranx takes half a minute. An environment variable would be too late where
        # another test has imported numba.
        patch.setattr(numba.config, "DISABLE_JIT", 1)
        import ranx

        return ranx


@pytest.fixture(scope="module")
def problem():
    """(scores, histories, targets): a target is never in its history."""
    rng = np.random.default_rng(5)
    orders = rng.permuted(np.tile(np.arange(1, N_ITEMS + 1), (N_USERS, 1)), axis=1)
    scores = rng.permuted(np.tile(np.arange(N_ITEMS), (N_USERS, 1)), axis=1)
    return (
        scores.astype(np.float32) / 7,
        orders[:, :6].astype(np.int32),
        orders[:, 6].astype(np.int32),
    )


def ours(problem, k):
    scores, histories, targets = problem
    starts = np.arange(N_USERS, dtype=np.int64) * histories.shape[1]
    users = np.arange(N_USERS, dtype=np.int32)
    greater, equal, _ = _core.rank_counts(
        scores, targets, histories.ravel(), starts, starts + histories.shape[1], users, True
    )
    return _core.rank_metrics(1 + greater + equal / 2, k)


def theirs(ranx: ModuleType, problem, k):
    scores, histories, targets = problem
    run = {
        f"u{u:02}": {
            f"i{item}": float(scores[u, item - 1])
            for item in range(1, N_ITEMS + 1)
            if item not in histories[u]
        }
        for u in range(N_USERS)
    }
    qrels = {f"u{u:02}": {f"i{target}": 1} for u, target in enumerate(targets)}
    names = [f"hit_rate@{k}", f"ndcg@{k}", f"mrr@{k}"]
    found = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names, return_mean=False)
    return np.stack([found[name] for name in names], axis=1)


@pytest.mark.parametrize("k", [1, 5, 10, 24])
def test_every_user_has_the_metrics_of_ranx(ranx, problem, k):
    np.testing.assert_allclose(ours(problem, k), theirs(ranx, problem, k), rtol=1e-12)
