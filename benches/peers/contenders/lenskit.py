"""LensKit: negatives of its Rust sampler, metrics of item lists, data sets from logs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from checks import metrics_contender, negatives_fault, share_of_positives
from contract import Contender, serve
from lenskit.data import ItemList, ItemListCollection, from_interactions_df
from lenskit.metrics import NDCG, Hit, RecipRank, RunAnalysis
from problem import Problem

SLOW_ROWS = 256  # lists of a sample: a list takes about 0.2 ms
TRIES = 10  # max_attempts of `sample_negatives`


def negatives(problem: Problem) -> list[Contender]:
    n, _, weighting = problem.case.removeprefix("n=").partition(", ")
    kind = "popular" if weighting == "popularity" else "uniform"
    frame = pd.DataFrame({"user_id": problem.users, "item_id": problem.items})
    data = from_interactions_df(frame)
    matrix = data.interactions().matrix()
    batches = [data.users.numbers(users).astype(np.int32) for users in problem.batches()]
    items = np.asarray(data.items.ids())

    def draw(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        users = batches[seed % len(batches)]
        return matrix.sample_negatives(users, weighting=kind, n=int(n), verify=True, rng=rng)

    found: dict[str, float] = {}

    def check() -> str | None:
        drawn = [items[draw(seed)] for seed in range(2)]
        found["share of positives"] = share_of_positives(drawn[0], problem.batches()[0], problem)
        return negatives_fault(drawn, problem, int(n), tries=TRIES)

    return [
        Contender(
            name="LensKit",
            call=draw,
            check=check,
            unit="M draws/s",
            units=problem.batch_size * int(n) / 1e6,
            note="gives up after 10 tries and returns a positive",
            found=found,
        )
    ]


def rank(problem: Problem) -> list[Contender]:
    rows = min(SLOW_ROWS, problem.rows)
    lists, scores = (array[:rows] for array in problem.lists)
    users = problem.ranked_users[:rows].tolist()
    targets = {(u,): ItemList([t]) for u, t in zip(users, problem.targets.tolist(), strict=False)}
    truth = ItemListCollection.from_dict(targets, key=["user_id"])
    analysis = RunAnalysis(Hit(10), NDCG(10), RecipRank(10))

    def collect() -> ItemListCollection:
        given = {
            (user,): ItemList(items, scores=values, ordered=True)
            for user, items, values in zip(users, lists, scores, strict=True)
        }
        return ItemListCollection.from_dict(given, key=["user_id"])

    def measure(run: ItemListCollection) -> dict[str, float]:
        hit, ndcg, mrr = analysis.measure(run, truth).list_metrics().mean()
        return {"hit@10": hit, "ndcg@10": ndcg, "mrr@10": mrr}

    run = collect()
    options = {"rows": rows, "differs": ("ndcg@10",)}
    return [
        metrics_contender("LensKit", problem, lambda: measure(collect()), **options,
                          note="given lists of 10: no filter, no top-k"),
        metrics_contender("LensKit, RunAnalysis alone", problem, lambda: measure(run), **options,
                          note="given its item lists"),
    ]  # fmt: skip


if __name__ == "__main__":
    serve("lenskit", {"negatives": negatives, "rank": rank})
