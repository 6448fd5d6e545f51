"""seqrec itself, through the same pipe and the same clock as its peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
import torch
from checks import (
    cloze_fault,
    ingestion_fault,
    lists_fault,
    metrics_contender,
    negatives_fault,
    next_item_fault,
    training_contender,
)
from contract import DROPOUT, HEADS, HIDDEN, LAYERS, TRAIN_STEPS, Contender, Steps, serve
from learning import Clock, Learner, in_eval, padded
from problem import Problem

import seqrec
from seqrec import _core
from seqrec.batches import (
    Batch,
    BatchStream,
    ClozeBatch,
    ClozeConfig,
    ClozeRows,
    NegativeConfig,
    Negatives,
    NextItemBatch,
    NextItemRows,
    WindowConfig,
)
from seqrec.batches.buffers import Buffers
from seqrec.batches.plan import Share
from seqrec.data import Sequences
from seqrec.evaluation.next_item import EvalConfig, evaluate_next_item
from seqrec.evaluation.ranking import count, first_items, ranks
from seqrec.models import LSTM, BERT4Rec, BERT4RecConfig, LSTMConfig
from seqrec.tokens import IGNORE, PAD
from seqrec.training import ObjectiveConfig, TrainConfig, make_objective, train
from seqrec.training.objectives import StepLoss

Offered = TypeVar("Offered", Contender, Learner)


def sequences(problem: Problem) -> Sequences:
    return Sequences(problem.items, problem.offsets[:-1], problem.offsets[1:])


def inputs(problem: Problem) -> Sequences:
    """What the ranking jobs know: everything but each user's last item."""
    return Sequences(problem.items, problem.offsets[:-1], problem.offsets[1:] - 1)


def endless(stream: BatchStream[Batch]) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from stream.epoch(epoch)
        epoch += 1


def cloze(problem: Problem) -> list[Contender]:
    windows = WindowConfig(windows="last", max_seq_len=problem.max_seq_len)
    config = ClozeConfig(mask_prob=problem.mask_prob, last_only_prob=0.0)
    rows = ClozeRows(sequences(problem), problem.n_items, windows, config)

    def fault(batch: ClozeBatch) -> str | None:
        tokens, labels = batch.tokens.numpy(), batch.labels.numpy()
        hidden = labels != IGNORE
        restored = np.where(hidden, labels, tokens)
        real = [row != PAD for row in tokens]
        return cloze_fault(
            [row[r] for row, r in zip(restored, real, strict=True)],
            [row[r] for row, r in zip(hidden, real, strict=True)],
            problem,
        )

    return batches(rows, problem, fault)


def next_item(problem: Problem) -> list[Contender]:
    windows = WindowConfig(windows="last", max_seq_len=problem.max_seq_len)
    rows = NextItemRows(sequences(problem), windows)

    def fault(batch: NextItemBatch) -> str | None:
        taken = [row[row != PAD] for row in batch.inputs.numpy()]
        targets = [row[row != IGNORE] for row in batch.targets.numpy()]
        return next_item_fault(taken, targets, problem)

    return batches(rows, problem, fault)


def batches(rows: ClozeRows | NextItemRows, problem: Problem, fault: Callable) -> list[Contender]:
    """The stream as training uses it; and the bare rows, padded to max_seq_len like the peers'."""
    source = endless(BatchStream(rows, problem.batch_size, seed=0))
    users, buffers = problem.batches(), Buffers(pinned=False)
    ks = np.zeros(problem.batch_size, dtype=np.int32)

    def fill(seed: int) -> Batch:
        share = Share(users[seed % len(users)], ks, None, problem.max_seq_len, 0, seed)
        return rows.fill(share, buffers)

    return [
        Contender(name="seqrec", call=fill, check=lambda: fault(fill(0)), unit="batches/s",
                  note="every row padded to max_seq_len, as the peers'"),
        Contender(name="seqrec, BatchStream", call=lambda _: next(source),
                  check=lambda: fault(next(source)), unit="batches/s",
                  note="its epochs, planned; padded to a batch's longest row"),
    ]  # fmt: skip


def negatives(problem: Problem) -> list[Contender]:
    n, _, weighting = problem.case.removeprefix("n=").partition(", ")
    kind = "popularity" if weighting == "popularity" else "uniform"
    config = NegativeConfig(num_negatives=int(n), neg_sampling=kind)
    sampler = Negatives(sequences(problem), problem.n_items, config)
    users, buffers = problem.batches(), Buffers(pinned=False)
    ks = np.arange(problem.batch_size, dtype=np.int32)

    def draw(seed: int) -> torch.Tensor:
        share = Share(users[seed % len(users)], ks, None, problem.max_seq_len, 0, seed)
        return sampler.fill(share, buffers)

    return [
        Contender(
            name="seqrec",
            call=draw,
            check=lambda: negatives_fault(
                [draw(seed).numpy().copy() for seed in range(2)], problem, int(n)
            ),
            unit="M draws/s",
            units=problem.batch_size * int(n) / 1e6,
        )
    ]


def rank(problem: Problem) -> list[Contender]:
    histories, targets = inputs(problem), problem.targets
    scores, users = problem.scores, problem.ranked_users

    def measure() -> dict[str, float]:
        counts = count(scores, targets, histories, users, filter_seen=True)
        hit, ndcg, mrr = _core.rank_metrics(ranks(counts, "mean"), 10).mean(0)
        return {"hit@10": hit, "ndcg@10": ndcg, "mrr@10": mrr}

    return [metrics_contender("seqrec", problem, measure)]


def rank_factors(problem: Problem) -> list[Contender]:
    histories, targets, users = inputs(problem), problem.targets, problem.ranked_users
    of_users, of_items = map(torch.from_numpy, problem.factors)

    def measure() -> dict[str, float]:
        counts = count(of_users @ of_items.T, targets, histories, users, filter_seen=True)
        hit, ndcg, mrr = _core.rank_metrics(ranks(counts, "mean"), 10).mean(0)
        return {"hit@10": hit, "ndcg@10": ndcg, "mrr@10": mrr}

    return [metrics_contender("seqrec", problem, measure, note="scores by torch.matmul")]


def top_k_factors(problem: Problem) -> list[Contender]:
    histories, users = inputs(problem), problem.ranked_users
    of_users, of_items = map(torch.from_numpy, problem.factors)

    def lists() -> np.ndarray:
        return first_items(of_users @ of_items.T, 10, histories, users, filter_seen=True)

    return [
        Contender(
            name="seqrec",
            call=lambda _: lists(),
            check=lambda: lists_fault(lists(), problem),
            unit="k rows/s",
            units=problem.rows / 1e3,
            note="scores by torch.matmul",
        )
    ]


def evaluate(problem: Problem) -> list[Contender]:
    """`evaluate_next_item` with given scores: metrics and the table of users, no intervals."""
    users, items = problem.users, problem.items
    frame = pd.DataFrame({"user_id": users, "item_id": items})
    split = seqrec.Interactions.from_frame(frame, time_col="").split("leave_one_out")
    part, order = split.test, np.argsort(problem.ranked_users)
    codes = split.dataset.item_ids.arrow(np.arange(split.dataset.n_items)).to_numpy()
    scores = torch.from_numpy(problem.scores[order][:, codes - 1].copy())
    row_of = np.full(problem.n_users, -1)
    row_of[problem.ranked_users[order]] = np.arange(problem.rows)

    def scorer(_: Sequences, users: np.ndarray) -> torch.Tensor:
        first = row_of[users[0]]
        return scores[first : first + len(users)]

    def run() -> dict[str, float]:
        result = evaluate_next_item(scorer, split, part, EvalConfig(filter_seen=True))
        result.table(split.dataset.user_ids, split.dataset.item_ids)
        return {k: v for k, v in result.values().items() if not k.startswith("recall")}

    return [metrics_contender("seqrec", problem, run, note="with the table of users")]


def ingest(problem: Problem) -> list[Contender]:
    names = dict(zip(("user", "item"), ("user_id", "item_id"), strict=True))
    frame = pd.DataFrame(problem.log).rename(columns=names)

    def check() -> str | None:
        dataset = seqrec.Interactions.from_frame(frame).prepare()
        lengths = np.diff(dataset.offsets)
        users = dataset.user_ids.arrow(np.arange(len(lengths))).to_numpy().repeat(lengths)
        return ingestion_fault(users, dataset.item_ids.arrow(dataset.items - 1).to_numpy(), problem)

    return [
        Contender(
            name="seqrec",
            call=lambda _: seqrec.Interactions.from_frame(frame).prepare(),
            check=check,
            unit="M rows/s",
            units=len(frame) / 1e6,
            note="pandas frame to prepared data set",
        )
    ]


class Watched:
    """A stream that tells when its batches are taken: `arrived` gets each and its epoch."""

    def __init__(self, stream: BatchStream[Batch], arrived: Callable[[int, Batch], None]) -> None:
        self.stream, self.arrived = stream, arrived

    @property
    def wait_seconds(self) -> float:
        return self.stream.wait_seconds

    def steps_per_epoch(self, epoch: int) -> int:
        return self.stream.steps_per_epoch(epoch)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        for batch in self.stream.epoch(epoch, first_step):
            self.arrived(epoch, batch)
            yield batch


class Trainee:
    """The model of a case, its rows and its objective: from random vectors, as the peers' are."""

    def __init__(self, problem: Problem, precision: Literal["fp32", "bf16"]) -> None:
        windows = WindowConfig(windows="last", max_seq_len=problem.max_seq_len)
        self.problem, self.precision = problem, precision
        self.rows: ClozeRows | NextItemRows
        if problem.case == "bert4rec":
            cloze = ClozeConfig(mask_prob=problem.mask_prob, last_only_prob=0.0)
            self.rows = ClozeRows(sequences(problem), problem.n_items, windows, cloze)
            options = BERT4RecConfig(
                hidden_size=HIDDEN, num_layers=LAYERS, num_heads=HEADS, dropout=DROPOUT,
                max_seq_len=problem.max_seq_len,
            )  # fmt: skip
            self.model = BERT4Rec(problem.n_items, options, task="next_item")
            self.name = "bert4rec"
        else:
            self.rows = NextItemRows(sequences(problem), windows)
            self.model = LSTM(
                problem.n_items,
                LSTMConfig(embedding_dim=HIDDEN, hidden_size=2 * HIDDEN, dropout=DROPOUT),
            )
            self.name = "lstm"
        self.objective = make_objective(ObjectiveConfig(), self.name, "next_item")

    @property
    def note(self) -> str:
        return f"{self.name}, {self.precision}, dropout {DROPOUT}"

    def train(
        self, seed: int, arrived: Callable[[int, Batch], None], *, max_steps: int | None = None,
        noted: Callable[[float], object] | None = None,
    ) -> None:  # fmt: skip
        """Trains on; `noted` is told each step's loss."""
        config = TrainConfig(
            epochs=1_000, max_steps=max_steps, batch_size=self.problem.batch_size, device="cpu",
            threads=self.problem.threads, precision=self.precision, progress=False,
        )  # fmt: skip

        def objective(model: torch.nn.Module, batch: Batch) -> StepLoss:
            loss = self.objective(model, batch)
            if noted is not None:
                noted(loss.value.item())
            return loss

        stream = Watched(BatchStream(self.rows, self.problem.batch_size, seed), arrived)
        train(self.model, stream, objective=objective, config=config)

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        tokens = padded(histories, self.problem.max_seq_len, side=self.model.pad_side)
        with torch.no_grad(), in_eval(self.model):
            return self.model.score_next(torch.from_numpy(tokens)).float().numpy()


def training(problem: Problem) -> list[Contender]:
    def contender(precision: Literal["fp32", "bf16"]) -> Contender:
        trainee = Trainee(problem, precision)

        def run(seed: int) -> Steps:
            steps = Steps()
            trainee.train(
                seed, lambda _, batch: steps.arrive(batch.n_targets),
                max_steps=TRAIN_STEPS, noted=steps.losses.append,
            )  # fmt: skip
            return steps

        name = "seqrec" if precision == "fp32" else f"seqrec, {precision}"
        return training_contender(name, problem, run, trainee.note)

    return [contender("fp32"), contender("bf16")]


def learners(problem: Problem) -> list[Learner]:
    def learn(seed: int, clock: Clock) -> None:
        torch.manual_seed(seed)
        trainee = Trainee(problem, "fp32")
        trainee.train(seed, lambda epoch, _: clock.step(epoch, trainee.scores))

    note = Trainee(problem, "fp32").note
    return [Learner(name=f"seqrec-{problem.case}", train=learn, note=note)]


def limited(offer: Callable[[Problem], list[Offered]]) -> Callable[[Problem], list[Offered]]:
    """The same within the case's number of threads."""

    def offered(problem: Problem) -> list[Offered]:
        _core.set_threads(problem.threads)
        torch.set_num_threads(problem.threads)
        return offer(problem)

    return offered


JOBS = {
    "cloze": cloze, "next_item": next_item, "negatives": negatives, "rank": rank,
    "rank_factors": rank_factors, "top_k_factors": top_k_factors, "evaluate": evaluate,
    "ingest": ingest, "training": training,
}  # fmt: skip

if __name__ == "__main__":
    serve("seqrec", {name: limited(offer) for name, offer in JOBS.items()}, limited(learners))
