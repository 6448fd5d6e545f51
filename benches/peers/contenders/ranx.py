"""ranx: metrics of runs, which are dictionaries of text ids."""

from __future__ import annotations

from checks import metrics_contender
from contract import Contender, serve
from problem import Problem
from ranx import Qrels, Run, evaluate

METRICS = {"hit_rate@10": "hit@10", "ndcg@10": "ndcg@10", "mrr@10": "mrr@10"}


def rank(problem: Problem) -> list[Contender]:
    lists, scores = problem.lists
    names = [str(user) for user in problem.ranked_users]
    truth = Qrels(
        {name: {str(t): 1} for name, t in zip(names, problem.targets.tolist(), strict=True)}
    )

    def build() -> Run:
        rows = zip(names, lists.tolist(), scores.tolist(), strict=True)
        return Run({name: dict(zip(map(str, i), s, strict=True)) for name, i, s in rows})

    def measure(run: Run) -> dict[str, float]:
        found = evaluate(truth, run, list(METRICS), return_mean=True)
        return {METRICS[name]: value for name, value in found.items()}

    run = build()
    return [
        metrics_contender("ranx", problem, lambda: measure(build()),
                          note="given lists of 10: no filter, no top-k"),
        metrics_contender("ranx, evaluate alone", problem, lambda: measure(run),
                          note="given its Run"),
    ]  # fmt: skip


if __name__ == "__main__":
    serve("ranx", {"rank": rank})
