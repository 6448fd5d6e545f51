"""RePlay: its two loaders, its metrics builder and its tokenizer.

Two generations: `Bert4RecTrainingDataset` (an item of a torch DataLoader a call) and
`ParquetDataset` with transforms over whole batches. The latter draws one row of mask bits for the
whole batch, and both leave hiding the ids to the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import torch
from checks import (
    cloze_fault,
    ingestion_fault,
    metrics_contender,
    next_item_fault,
    training_contender,
    windows_fault,
)
from contract import DROPOUT, HEADS, HIDDEN, LAYERS, Contender, Steps, serve, taking
from learning import Clock, Learner, in_order, padded
from lightning_steps import against_clock, trainer
from problem import K, Problem
from ranks import Scores
from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureSource, FeatureType
from replay.data.nn import (
    SequenceTokenizer,
    SequentialDataset,
    TensorFeatureInfo,
    TensorFeatureSource,
    TensorSchema,
)
from replay.data.nn.parquet import ParquetDataset
from replay.metrics.torch_metrics_builder import TorchMetricsBuilder
from replay.models.nn.sequential.bert4rec import Bert4Rec, Bert4RecTrainingDataset
from replay.nn.lightning.postprocessor import SeenItemsFilter
from replay.nn.transform import NextTokenTransform, TokenMaskTransform
from torch.utils.data import DataLoader

EVAL_ROWS = 256
PARTITION_BATCHES = 20  # what ParquetDataset recommends at least
NOTE = f"Bert4Rec, fp32, dropout {DROPOUT}"
METRICS = {"recall@10": "hit@10", "ndcg@10": "ndcg@10", "mrr@10": "mrr@10"}


def tensor_schema() -> TensorSchema:
    return TensorSchema(
        TensorFeatureInfo(
            name="item_id",
            is_seq=True,
            embedding_dim=HIDDEN,
            feature_type=FeatureType.CATEGORICAL,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
            feature_hint=FeatureHint.ITEM_ID,
        )
    )


def as_dataset(events: pl.DataFrame) -> Dataset:
    schema = FeatureSchema(
        [
            FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
            FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
            FeatureInfo("timestamp", FeatureType.NUMERICAL, FeatureHint.TIMESTAMP),
        ]
    )
    return Dataset(feature_schema=schema, interactions=events)


def tokenized(problem: Problem) -> tuple[SequentialDataset, np.ndarray]:
    """(its sequences, our id of each of its items)."""
    places = np.arange(len(problem.items)) - problem.offsets[problem.users]
    events = {"user_id": problem.users, "item_id": problem.items, "timestamp": places}
    tokenizer = SequenceTokenizer(tensor_schema())
    sequences = tokenizer.fit_transform(as_dataset(pl.DataFrame(events)))
    return sequences, names_of(tokenizer.item_id_encoder, "item_id")


def names_of(encoder: Any, column: str) -> np.ndarray:
    names = encoder.inverse_mapping[column]
    return np.array([names[code] for code in range(len(names))])


def parquet(problem: Problem, length: int) -> ParquetDataset:
    """Its loader of a Parquet file with a history a row; items are 0-based, n_items pads."""
    path = problem.folder / "replay.parquet"
    if not Path(path).exists():
        histories = [problem.history(user).astype(np.int64) - 1 for user in range(problem.n_users)]
        pl.DataFrame({"item_id": histories}).write_parquet(path)
    return ParquetDataset(
        source=str(path),
        metadata={"item_id": {"shape": length, "padding": problem.n_items}},
        partition_size=PARTITION_BATCHES * problem.batch_size,
        batch_size=problem.batch_size,
        generator=torch.Generator().manual_seed(0),
    )


def transformed(batches: ParquetDataset, transform: torch.nn.Module) -> Iterator[dict[str, Any]]:
    while True:
        yield from map(transform, batches)


def cloze(problem: Problem) -> list[Contender]:
    torch.set_num_threads(problem.threads)
    transform = TokenMaskTransform("item_id_mask", mask_prob=problem.mask_prob)
    source = transformed(parquet(problem, problem.max_seq_len), transform)

    def check() -> str | None:
        batch = next(source)
        real, items = batch["item_id_mask"].numpy(), batch["item_id"].numpy() + 1
        return windows_fault([row[r] for row, r in zip(items, real, strict=True)], problem)

    newest = Contender(
        name="RePlay, ParquetDataset",
        call=lambda _: next(source),
        check=check,
        unit="batches/s",
        note="one row of mask bits for the whole batch, ids not hidden yet: less work",
    )
    return [newest, *datasets(problem)]


def datasets(problem: Problem) -> list[Contender]:
    """`Bert4RecTrainingDataset` without and with workers."""
    sequences, names = tokenized(problem)
    samples = Bert4RecTrainingDataset(sequences, problem.max_seq_len, mask_prob=problem.mask_prob)

    def check() -> str | None:
        batch = next(iter(DataLoader(samples, problem.batch_size, shuffle=True)))
        real, kept = batch["pad_mask"].numpy(), batch["token_mask"].numpy()
        labels = batch["positive_labels"].numpy()
        return cloze_fault(
            [names[row[r]] for row, r in zip(labels, real, strict=True)],
            [~row[r] for row, r in zip(kept, real, strict=True)],
            problem,
        )

    found = []
    for workers in (0, problem.threads):
        batches = DataLoader(samples, problem.batch_size, shuffle=True, num_workers=workers,
                             persistent_workers=workers > 0)  # fmt: skip
        name = "RePlay, Bert4RecTrainingDataset"
        found.append(
            Contender(
                name=f"{name}, {workers} workers" if workers else name,
                call=taking(batches),
                check=check,
                unit="batches/s",
                note="ids not hidden yet: less work",
                processes=workers,
                drain=2 * workers,
            )
        )
    return found


def next_item(problem: Problem) -> list[Contender]:
    torch.set_num_threads(problem.threads)
    source = transformed(
        parquet(problem, problem.max_seq_len + 1), NextTokenTransform(label_name="item_id")
    )

    def check() -> str | None:
        batch = next(source)
        real, sides = batch["item_id_mask"].numpy(), (batch["item_id"], batch["positive_labels"])
        taken, targets = (
            [row[r] + 1 for row, r in zip(side.numpy(), real, strict=True)] for side in sides
        )
        return next_item_fault(taken, targets, problem)

    return [
        Contender(name="RePlay, ParquetDataset", call=lambda _: next(source), check=check,
                  unit="batches/s")
    ]  # fmt: skip


def rank(problem: Problem) -> list[Contender]:
    """Its filter, torch.topk and its builder, batch by batch, as its callbacks do."""
    torch.set_num_threads(problem.threads)
    scores = torch.from_numpy(problem.scores)
    targets = torch.from_numpy(problem.targets.astype(np.int64))[:, None] - 1
    rows, columns = problem.seen
    lengths = np.bincount(rows, minlength=problem.rows)
    seen = np.full((problem.rows, lengths.max()), -1)
    seen[np.arange(lengths.max()) < lengths[:, None]] = columns
    seen_ids = torch.from_numpy(seen)
    postprocessor = SeenItemsFilter(problem.n_items, "seen_ids")
    flat_rows, flat_columns = torch.from_numpy(rows), torch.from_numpy(columns)

    def filtered(chunk: slice) -> torch.Tensor:
        return postprocessor.on_validation({"seen_ids": seen_ids[chunk]}, scores[chunk])

    spoiled = scores.clone()

    def in_place(chunk: slice) -> torch.Tensor:
        start, stop = np.searchsorted(rows, [chunk.start, chunk.stop])
        batch = spoiled[chunk]
        batch[flat_rows[start:stop] - chunk.start, flat_columns[start:stop]] = -torch.inf
        return batch

    def measure(hide: Any) -> dict[str, float]:
        builder = TorchMetricsBuilder(["recall", "ndcg", "mrr"], [K], item_count=problem.n_items)
        for start in range(0, problem.rows, EVAL_ROWS):
            chunk = slice(start, start + EVAL_ROWS)
            top = hide(chunk).topk(K, dim=1).indices
            builder.add_prediction(top, targets[chunk])
        found = builder.get_metrics()
        return {ours: found[theirs] for theirs, ours in METRICS.items()}

    return [
        metrics_contender("RePlay", problem, lambda: measure(filtered),
                          note="its SeenItemsFilter, torch.topk, its TorchMetricsBuilder"),
        metrics_contender("RePlay, filtered in place", problem, lambda: measure(in_place),
                          note="as RePlay, with -inf written into the scores by torch"),
    ]  # fmt: skip


def ingest(problem: Problem) -> list[Contender]:
    log = problem.log
    events = pl.DataFrame(
        {"user_id": log["user"], "item_id": log["item"], "timestamp": log["timestamp"]}
    )

    def run() -> Any:
        tokenizer = SequenceTokenizer(tensor_schema())
        return tokenizer, tokenizer.fit_transform(as_dataset(events))

    def check() -> str | None:
        tokenizer, found = run()
        users = names_of(tokenizer.query_id_encoder, "user_id")[found.get_all_query_ids()]
        histories = [found.get_sequence(place, "item_id") for place in range(len(found))]
        items = names_of(tokenizer.item_id_encoder, "item_id")[np.concatenate(histories)]
        lengths = [len(history) for history in histories]
        return ingestion_fault(np.repeat(users, lengths), items, problem)

    return [
        Contender(name="RePlay", call=lambda _: run(), check=check, unit="M rows/s",
                  units=len(events) / 1e6, note="polars frame through its SequenceTokenizer")
    ]  # fmt: skip


def targets(batch: Any) -> int:
    """Predictions that a batch asks for."""
    return int((batch["pad_mask"] & ~batch["token_mask"]).sum())


def bert4rec(
    problem: Problem, sequences: SequentialDataset
) -> tuple[Bert4Rec, DataLoader[dict[str, Any]]]:
    """Its model with the softmax over all items, and its batches."""
    torch.set_num_threads(problem.threads)
    samples = Bert4RecTrainingDataset(sequences, problem.max_seq_len, mask_prob=problem.mask_prob)
    model = Bert4Rec(
        sequences.schema, block_count=LAYERS, head_count=HEADS, hidden_size=HIDDEN,
        max_seq_len=problem.max_seq_len, dropout_rate=DROPOUT, enable_embedding_tying=True,
        loss_type="CE",
    )  # fmt: skip
    return model, DataLoader(samples, problem.batch_size, shuffle=True)


def training(problem: Problem) -> list[Contender]:
    if problem.case != "bert4rec":
        return []
    sequences, _ = tokenized(problem)

    def run(seed: int) -> Steps:
        torch.manual_seed(seed)
        steps = Steps()
        trainer(lightning, steps, targets).fit(*bert4rec(problem, sequences))
        return steps

    return [training_contender("RePlay", problem, run, NOTE)]


def learners(problem: Problem) -> list[Learner]:
    sequences, names = tokenized(problem)
    codes = np.zeros(problem.n_items + 1, dtype=np.int64)
    codes[names] = np.arange(len(names))

    def scores_of(module: Bert4Rec) -> Scores:
        def scores(histories: list[np.ndarray]) -> np.ndarray:
            # as its Bert4RecPredictionDataset: what is asked for stands behind the history
            width = problem.max_seq_len
            shifted = [np.append(codes[history], 0) for history in histories]
            real = padded([np.ones(len(row)) for row in shifted], width, side="left")
            token = real.copy()
            token[:, -1] = 0
            logits = module.predict(
                {
                    "query_id": torch.zeros(len(histories), dtype=torch.int64),
                    "inputs": {"item_id": torch.from_numpy(padded(shifted, width, side="left"))},
                    "pad_mask": torch.from_numpy(real.astype(bool)),
                    "token_mask": torch.from_numpy(token.astype(bool)),
                }
            )
            return in_order(logits.numpy(), names, problem)

        return scores

    def train(seed: int, clock: Clock) -> None:
        torch.manual_seed(seed)
        model, batches = bert4rec(problem, sequences)
        against_clock(lightning, clock, scores_of).fit(model, batches)

    return [Learner(name="replay-bert4rec", train=train, note=NOTE)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve("replay-rec", {
        "cloze": cloze, "next_item": next_item, "rank": rank, "evaluate": rank,
        "ingest": ingest, "training": training,
    }, learners)  # fmt: skip
