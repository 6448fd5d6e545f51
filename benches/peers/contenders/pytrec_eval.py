"""pytrec_eval (terrier): trec_eval's metrics of runs, which are dictionaries of text ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytrec_eval
from checks import metrics_contender
from contract import Contender, serve
from problem import Problem

METRICS = {"success_10": "hit@10", "ndcg_cut_10": "ndcg@10", "recip_rank": "mrr@10"}


def rank(problem: Problem) -> list[Contender]:
    lists, scores = problem.lists
    names = [str(user) for user in problem.ranked_users]
    truth = {name: {str(t): 1} for name, t in zip(names, problem.targets.tolist(), strict=True)}
    evaluator = pytrec_eval.RelevanceEvaluator(truth, {"success.10", "ndcg_cut.10", "recip_rank"})

    def build() -> dict[str, dict[str, float]]:
        rows = zip(names, lists.tolist(), scores.tolist(), strict=True)
        return {name: dict(zip(map(str, i), s, strict=True)) for name, i, s in rows}

    def measure(run: dict[str, Any]) -> dict[str, float]:
        users = evaluator.evaluate(run).values()
        return {ours: np.mean([user[theirs] for user in users]) for theirs, ours in METRICS.items()}

    run = build()
    return [
        metrics_contender("pytrec_eval", problem, lambda: measure(build()),
                          note="given lists of 10: no filter, no top-k"),
        metrics_contender("pytrec_eval, evaluate alone", problem, lambda: measure(run),
                          note="given its run"),
    ]  # fmt: skip


if __name__ == "__main__":
    serve("pytrec-eval-terrier", {"rank": rank})
