"""RecTools: the loaders of its transformers, its rankers and metrics, its data sets.

Sessions are the last `session_max_len` items of a user. A hidden item becomes MASK, another item or
stays (0.8 / 0.1 / 0.1), drawn item by item in Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning
import torch
from checks import (
    cloze_fault,
    ingestion_fault,
    lists_fault,
    metrics_contender,
    next_item_fault,
    training_contender,
)
from contract import DROPOUT, HEADS, HIDDEN, LAYERS, Contender, Steps, serve, taking
from learning import Clock, Learner, in_order, padded
from lightning_steps import against_clock, trainer
from problem import K, Problem
from ranks import Scores
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import MRR, NDCG, HitRate, calc_metrics
from rectools.models import BERT4RecModel, SASRecModel
from rectools.models.nn.transformers.bert4rec import BERT4RecDataPreparator
from rectools.models.nn.transformers.data_preparator import TransformerDataPreparatorBase
from rectools.models.nn.transformers.sasrec import SASRecDataPreparator
from rectools.models.rank import Distance, TorchRanker
from scipy.sparse import csr_matrix

EVAL_ROWS = 256
METRICS = {"hit@10": HitRate(K), "ndcg@10": NDCG(K), "mrr@10": MRR(K)}


def frame(users: np.ndarray, items: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """A log with the columns that RecTools wants; times are seconds."""
    return pd.DataFrame(
        {
            Columns.User: users,
            Columns.Item: items,
            Columns.Weight: np.float32(1),
            Columns.Datetime: pd.to_datetime(times, unit="s"),
        }
    )


def dataset(problem: Problem) -> Dataset:
    places = np.arange(len(problem.items)) - problem.offsets[problem.users]
    return Dataset.construct(frame(problem.users, problem.items, places))


def prepared(kind: type[TransformerDataPreparatorBase], data: Dataset, **options: Any) -> Any:
    """(loader, our id of each of RecTools')."""
    warnings.simplefilter("ignore")
    preparator = kind(n_negatives=None, train_min_user_interactions=2, **options)
    preparator.process_dataset_train(data)
    names = preparator.item_id_map.external_ids[preparator.n_item_extra_tokens :]
    return preparator.get_dataloader_train(), np.array(
        [0] * preparator.n_item_extra_tokens + list(names), dtype=np.int64
    )


def batch_contenders(
    problem: Problem, kind: type[TransformerDataPreparatorBase], check: Any, **options: Any
) -> list[Contender]:
    torch.set_num_threads(problem.threads)
    data, found = dataset(problem), []
    for workers in (0, problem.threads):
        batches, names = prepared(
            kind, data, session_max_len=problem.max_seq_len, batch_size=problem.batch_size,
            dataloader_num_workers=workers, **options,
        )  # fmt: skip
        found.append(
            Contender(
                name=f"RecTools, {workers} workers" if workers else "RecTools",
                call=taking(batches),
                check=lambda batches=batches, names=names: check(batches, names),
                unit="batches/s",
                note="weights beside the labels",
                processes=workers,
                drain=2 * workers,
            )
        )
    return found


def cloze(problem: Problem) -> list[Contender]:
    def check(batches: Any, names: np.ndarray) -> str | None:
        batch = next(iter(batches))
        x, y = batch["x"].numpy(), batch["y"].numpy()
        restored, real = np.where(y != 0, y, x), x != 0
        return cloze_fault(
            [names[row[r]] for row, r in zip(restored, real, strict=True)],
            [row[r] != 0 for row, r in zip(y, real, strict=True)],
            problem,
        )

    return batch_contenders(problem, BERT4RecDataPreparator, check, mask_prob=problem.mask_prob)


def next_item(problem: Problem) -> list[Contender]:
    def check(batches: Any, names: np.ndarray) -> str | None:
        batch = next(iter(batches))
        x, y = batch["x"].numpy(), batch["y"].numpy()
        taken, targets = ([names[row[row != 0]] for row in side] for side in (x, y))
        return next_item_fault(taken, targets, problem)

    return batch_contenders(problem, SASRecDataPreparator, check)


def truth(problem: Problem) -> pd.DataFrame:
    rows = np.arange(problem.rows)
    return pd.DataFrame({Columns.User: rows, Columns.Item: problem.targets})


def measured(users: np.ndarray, items: np.ndarray, hidden: pd.DataFrame) -> dict[str, float]:
    """Its metrics of flat lists of K, best first."""
    ranks = np.tile(np.arange(1, K + 1), len(users) // K)
    reco = pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Rank: ranks})
    return calc_metrics(METRICS, reco, hidden)


def rank(problem: Problem) -> list[Contender]:
    """Mask and torch.topk, as its TorchRanker does behind the product, then `calc_metrics`."""
    torch.set_num_threads(problem.threads)
    scores, hidden = torch.from_numpy(problem.scores), truth(problem)
    rows, columns = problem.seen
    ones = np.ones(len(rows), dtype=bool)
    seen = csr_matrix((ones, (rows, columns)), problem.scores.shape)
    users, given = np.repeat(np.arange(problem.rows), K), problem.lists[0].ravel()

    def top() -> np.ndarray:
        found = []
        for start in range(0, problem.rows, EVAL_ROWS):
            chunk = slice(start, start + EVAL_ROWS)
            mask = torch.from_numpy(seen[chunk].toarray())
            found.append(scores[chunk].masked_fill(mask, -torch.inf).topk(K, dim=1).indices + 1)
        return torch.cat(found).numpy().ravel()

    differs = ("ndcg@10",)
    return [
        metrics_contender("RecTools", problem, lambda: measured(users, top(), hidden),
                          differs=differs, note="lists by torch.topk, as in its TorchRanker"),
        metrics_contender("RecTools, calc_metrics alone", problem,
                          lambda: measured(users, given, hidden), differs=differs,
                          note="given lists of 10: no filter, no top-k"),
    ]  # fmt: skip


def ranker(problem: Problem) -> Any:
    """Top lists of factors: (users, items), flat."""
    torch.set_num_threads(problem.threads)
    of_users, of_items = problem.factors
    rows, columns = problem.seen
    shape = (problem.rows, problem.n_items)
    seen = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape)
    torch_ranker = TorchRanker(Distance.DOT, "cpu", of_users, of_items, batch_size=EVAL_ROWS)
    return lambda: torch_ranker.rank(np.arange(problem.rows), k=K, filter_pairs_csr=seen)[:2]


def rank_factors(problem: Problem) -> list[Contender]:
    top, hidden = ranker(problem), truth(problem)

    def measure() -> dict[str, float]:
        users, items = top()
        return measured(users, items + 1, hidden)

    return [
        metrics_contender("RecTools", problem, measure, differs=("ndcg@10",),
                          note="TorchRanker and calc_metrics; scores computed inside")
    ]  # fmt: skip


def top_k_factors(problem: Problem) -> list[Contender]:
    top = ranker(problem)
    return [
        Contender(
            name="RecTools",
            call=lambda _: top(),
            check=lambda: lists_fault(np.asarray(top()[1]).reshape(-1, K) + 1, problem),
            unit="k rows/s",
            units=problem.rows / 1e3,
            note="TorchRanker; scores computed inside",
        )
    ]


def ingest(problem: Problem) -> list[Contender]:
    log = frame(*problem.log.values())
    longest = int(np.diff(problem.offsets).max())
    options = {"session_max_len": longest, "batch_size": 256, "dataloader_num_workers": 0,
               "mask_prob": 0.2}  # fmt: skip

    def sessions() -> Any:
        preparator = BERT4RecDataPreparator(
            n_negatives=None, train_min_user_interactions=2, **options
        )
        preparator.process_dataset_train(Dataset.construct(log))
        return preparator, preparator.get_dataloader_train().dataset.sessions

    def check() -> str | None:
        preparator, found = sessions()
        names = preparator.item_id_map.external_ids
        items = np.array([*[0] * 2, *names[2:]], dtype=np.int64)[np.concatenate(found)]
        events = preparator.train_dataset.interactions.df
        order = events.sort_values(Columns.Datetime, kind="stable")[Columns.User].unique()
        users = preparator.train_dataset.user_id_map.external_ids[order]
        return ingestion_fault(np.repeat(users, [len(s) for s in found]), items, problem)

    return [
        Contender(name="RecTools", call=lambda _: sessions(), check=check, unit="M rows/s",
                  units=len(log) / 1e6, note="pandas frame to the sessions of its training loader")
    ]  # fmt: skip


def targets(batch: Any) -> int:
    """Predictions that a batch asks for."""
    return int((batch["y"] != 0).sum())


def transformer(problem: Problem, get_trainer: Callable[[], Any]) -> Any:
    """Its BERT4Rec or, for next item, its SASRec, with the softmax over all items."""
    torch.set_num_threads(problem.threads)
    sizes = {"n_factors": HIDDEN, "n_blocks": LAYERS, "n_heads": HEADS, "dropout_rate": DROPOUT,
             "session_max_len": problem.max_seq_len, "batch_size": problem.batch_size,
             "loss": "softmax", "train_min_user_interactions": 2}  # fmt: skip
    if problem.case == "bert4rec":
        return BERT4RecModel(mask_prob=problem.mask_prob, get_trainer_func=get_trainer, **sizes)
    return SASRecModel(get_trainer_func=get_trainer, **sizes)


def training(problem: Problem) -> list[Contender]:
    data = dataset(problem)

    def run(seed: int) -> Steps:
        torch.manual_seed(seed)
        steps = Steps()
        transformer(problem, lambda: trainer(pytorch_lightning, steps, targets)).fit(data)
        return steps

    return [training_contender("RecTools", problem, run, note(problem))]


def note(problem: Problem) -> str:
    kind = "BERT4RecModel" if problem.case == "bert4rec" else "SASRecModel"
    return f"{kind}, fp32, dropout {DROPOUT}"


def learners(problem: Problem) -> list[Learner]:
    data = dataset(problem)

    def scores_of(module: Any) -> Scores:
        preparator = module.data_preparator
        n_extra = preparator.n_item_extra_tokens
        names = preparator.item_id_map.external_ids[n_extra:].astype(np.int64)
        codes = np.zeros(problem.n_items + 1, dtype=np.int64)
        codes[names] = np.arange(n_extra, n_extra + len(names))
        masked = [preparator.extra_token_ids["MASK"]] if problem.case == "bert4rec" else []

        def scores(histories: list[np.ndarray]) -> np.ndarray:
            sessions = [np.append(codes[history], masked) for history in histories]
            x = torch.from_numpy(padded(sessions, problem.max_seq_len, side="left"))
            logits = module.torch_model({"x": x})[:, -1, n_extra:]
            return in_order(logits.numpy(), names, problem)

        return scores

    def train(seed: int, clock: Clock) -> None:
        torch.manual_seed(seed)
        transformer(problem, lambda: against_clock(pytorch_lightning, clock, scores_of)).fit(data)

    return [Learner(name=f"rectools-{problem.case}", train=train, note=note(problem))]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve("rectools", {
        "cloze": cloze, "next_item": next_item, "rank": rank, "evaluate": rank,
        "rank_factors": rank_factors, "top_k_factors": top_k_factors, "ingest": ingest,
        "training": training,
    }, learners)  # fmt: skip
