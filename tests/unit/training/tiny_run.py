"""A model, a stream and an objective that are as small as training allows, and a run of them.

Run as a program (`tiny_run.py FOLDER [key=value ...]`) it trains in a process of its own, which
tests kill, signal, or join by gloo.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seqrec.errors import SeqrecError
from seqrec.training.artifact import load_artifact
from seqrec.training.config import TrainConfig
from seqrec.training.device import seeded
from seqrec.training.loop import train

N_ITEMS, WIDTH, ROWS = 12, 4, 6


@dataclass(frozen=True)
class TinyBatch:
    inputs: Tensor
    targets: Tensor

    @property
    def n_targets(self) -> int:
        return len(self.targets)


class TinyLoss(NamedTuple):
    value: Tensor
    targets: int


class TinyModel(nn.Module):
    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.items = nn.Embedding(N_ITEMS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(WIDTH, N_ITEMS)
        self.unused = nn.Linear(2, 2)  # never has a gradient

    def forward(self, inputs: Tensor) -> Tensor:
        return self.out(self.dropout(self.norm(self.items(inputs))))


class TinyStream:
    """Rows drawn from (epoch, step); every n-th row for a rank, as the real stream does."""

    def __init__(
        self,
        steps: list[int],
        *,
        rank: int = 0,
        world_size: int = 1,
        at_step: Callable[[int, int], None] = lambda _epoch, _step: None,
    ) -> None:
        self.steps, self.rank, self.world_size, self.at_step = steps, rank, world_size, at_step
        self.wait_seconds = 0.0

    def steps_per_epoch(self, epoch: int) -> int:
        return self.steps[epoch % len(self.steps)]

    def epoch(self, epoch: int, first_step: int = 0) -> Generator[TinyBatch, None, None]:
        for step in range(first_step, self.steps_per_epoch(epoch)):
            self.at_step(epoch, step)
            generator = torch.Generator().manual_seed(1000 * epoch + step)
            # One row in the last batch, so that a second rank goes without.
            rows = 1 if step + 1 == self.steps_per_epoch(epoch) else ROWS + 1
            inputs = torch.randint(N_ITEMS, (rows,), generator=generator)
            own = slice(self.rank, None, self.world_size)
            yield TinyBatch(inputs[own], (inputs[own] + 1) % N_ITEMS)


def objective(model: nn.Module, batch: TinyBatch) -> TinyLoss:
    value = nn.functional.cross_entropy(model(batch.inputs), batch.targets)
    return TinyLoss(value, batch.n_targets)


def validate(model: nn.Module) -> dict[str, float]:
    items = torch.arange(N_ITEMS)
    loss = nn.functional.cross_entropy(model(items), (items + 1) % N_ITEMS)
    torch.rand(3)  # draws that must not reach training
    return {"ndcg@10": float(torch.exp(-loss)), "logloss": float(loss)}


def tiny_config(**options: Any) -> TrainConfig:
    defaults: dict[str, Any] = {
        "epochs": 3, "lr": 0.05, "warmup_steps": 2, "ema": 0.9, "log_every": 2, "device": "cpu",
        "threads": 1, "seed": 5,
    }  # fmt: skip
    return TrainConfig(**{**defaults, **options})


def tiny_model(config: TrainConfig, dropout: float = 0.3) -> TinyModel:
    with seeded(config.seed):
        return TinyModel(dropout)


def run(
    folder: Path | None,
    *,
    config: TrainConfig | None = None,
    stream: TinyStream | None = None,
    dropout: float = 0.3,
    **rest: Any,
):
    """A whole run of a new tiny model: (model, result)."""
    config = config or tiny_config()
    model = tiny_model(config, dropout)
    options = {"validate": validate, "objective": objective, **rest}
    stream = stream or TinyStream([5, 4])
    return model, train(model, stream, config=config, folder=folder, **options)


def saved_state(folder: Path) -> dict[str, Any]:
    """Every tensor of `last/` and `best/` as bytes, and the log without its times."""
    found: dict[str, Any] = {}
    for part in ("last", "best"):
        for stem, named in load_artifact(folder / part).tensors.items():
            for name, tensor in named.items():
                found[f"{part}/{stem}/{name}"] = tensor.numpy().tobytes()
    times = ("seconds", "targets_per_second", "data_wait")
    lines = (folder / "log.jsonl").read_text().splitlines()
    found["log"] = [
        {key: value for key, value in json.loads(line).items() if key not in times}
        for line in lines
    ]
    return found


def main(folder: str, *assignments: str) -> int:
    options = {key: json.loads(value) for key, value in (a.split("=") for a in assignments)}
    steps, pause = options.pop("steps", [5, 4]), options.pop("pause", 0.0)
    dropout = options.pop("dropout", 0.3)
    torch.set_num_threads(1)
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world_size > 1:
        torch.distributed.init_process_group("gloo")

    def at_step(epoch: int, step: int) -> None:
        print(f"{epoch}:{step}", flush=True)
        time.sleep(pause)

    stream = TinyStream(steps, rank=rank, world_size=world_size, at_step=at_step)
    try:
        run(
            Path(folder), config=tiny_config(**options), stream=stream, dropout=dropout, resume=True
        )
    except SeqrecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        if world_size > 1:
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
