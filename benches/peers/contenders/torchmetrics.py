"""torchmetrics: retrieval metrics over flat (query, prediction, target) tensors."""

from __future__ import annotations

import torch
from checks import metrics_contender
from contract import Contender, serve
from problem import K, Problem
from torchmetrics import MetricCollection
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMRR, RetrievalNormalizedDCG

CELLS = 500_000  # scores of a sample: a user's 3,416 take about 2 ms


def rank(problem: Problem) -> list[Contender]:
    torch.set_num_threads(problem.threads)
    rows = min(problem.rows, max(8, CELLS // problem.n_items))
    scores = torch.from_numpy(problem.scores[:rows])
    unseen = torch.ones(scores.shape, dtype=torch.bool)
    seen_rows, seen_columns = map(torch.from_numpy, problem.seen)
    inside = seen_rows < rows
    unseen[seen_rows[inside], seen_columns[inside]] = False
    hits = torch.zeros(scores.shape, dtype=torch.bool)
    hits[torch.arange(rows), torch.from_numpy(problem.targets[:rows].astype("int64")) - 1] = True
    queries = torch.arange(rows)[:, None].expand(scores.shape)
    metrics = MetricCollection(
        {
            "hit@10": RetrievalHitRate(top_k=K),
            "ndcg@10": RetrievalNormalizedDCG(top_k=K),
            "mrr@10": RetrievalMRR(top_k=K),
        }
    )

    def measure() -> dict[str, float]:
        metrics.reset()
        metrics.update(scores[unseen], hits[unseen], indexes=queries[unseen])
        return {name: float(value) for name, value in metrics.compute().items()}

    return [metrics_contender("torchmetrics", problem, measure, rows=rows)]


if __name__ == "__main__":
    serve("torchmetrics", {"rank": rank})
