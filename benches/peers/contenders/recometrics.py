"""recometrics: C++ metrics of factor models; scores are computed inside."""

from __future__ import annotations

import numpy as np
from checks import metrics_contender
from contract import Contender, serve
from problem import K, Problem
from recometrics import calc_reco_metrics
from scipy.sparse import csr_array

NAMES = {f"Hit@{K}": "hit@10", f"NDCG@{K}": "ndcg@10", f"RR@{K}": "mrr@10"}


def rank_factors(problem: Problem) -> list[Contender]:
    shape = (problem.rows, problem.n_items)
    rows, columns = problem.seen
    known = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape)
    ones = np.ones(problem.rows, np.float32)
    hidden = csr_array((ones, (np.arange(problem.rows), problem.targets - 1)), shape)
    of_users, of_items = problem.factors

    def measure() -> dict[str, float]:
        table = calc_reco_metrics(
            known, hidden, of_users, of_items, k=K, precision=False, average_precision=False,
            ndcg=True, hit=True, rr=True, break_ties_with_noise=False, nthreads=problem.threads,
        )  # fmt: skip
        return {ours: table[theirs].mean() for theirs, ours in NAMES.items()}

    return [metrics_contender("recometrics", problem, measure, note="scores computed inside")]


if __name__ == "__main__":
    serve("recometrics", {"rank_factors": rank_factors})
