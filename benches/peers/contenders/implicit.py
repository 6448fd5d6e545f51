"""implicit: top lists and metrics of its factor models; scores are computed inside."""

from __future__ import annotations

import numpy as np
from checks import lists_fault, metrics_contender
from contract import Contender, serve
from implicit.cpu.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k
from problem import K, Problem
from scipy.sparse import csr_matrix


def fitted(problem: Problem) -> AlternatingLeastSquares:
    """A model that holds the given factors: users are rows, items are columns."""
    of_users, of_items = problem.factors
    model = AlternatingLeastSquares(factors=of_users.shape[1], num_threads=problem.threads)
    model.user_factors, model.item_factors = of_users, of_items
    return model


def known(problem: Problem) -> csr_matrix:
    rows, columns = problem.seen
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, columns)), (problem.rows, problem.n_items))


def rank_factors(problem: Problem) -> list[Contender]:
    model, inputs, rows = fitted(problem), known(problem), np.arange(problem.rows)
    ones = np.ones(problem.rows, np.float32)
    hidden = csr_matrix((ones, (rows, problem.targets - 1)), inputs.shape)

    def measure() -> dict[str, float]:
        found = ranking_metrics_at_k(
            model, inputs, hidden, K=K, show_progress=False, num_threads=problem.threads
        )
        return {"hit@10": found["precision"], "ndcg@10": found["ndcg"], "mrr@10": found["map"]}

    note = "scores computed inside; with one target its precision and MAP are hit and MRR"
    return [metrics_contender("implicit", problem, measure, note=note)]


def top_k_factors(problem: Problem) -> list[Contender]:
    model, inputs, rows = fitted(problem), known(problem), np.arange(problem.rows)

    def lists() -> np.ndarray:
        return model.recommend(rows, inputs, N=K, filter_already_liked_items=True)[0]

    return [
        Contender(
            name="implicit",
            call=lambda _: lists(),
            check=lambda: lists_fault(lists() + 1, problem),
            unit="k rows/s",
            units=problem.rows / 1e3,
            note="scores computed inside",
        )
    ]


if __name__ == "__main__":
    serve("implicit", {"rank_factors": rank_factors, "top_k_factors": top_k_factors})
