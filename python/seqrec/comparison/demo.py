"""The main job on simulated data: no network, no data at hand, and the best possible beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqrec.comparison.compare import Comparison, Say, compare
from seqrec.comparison.systems import Ceiling
from seqrec.data import Dataset, Interactions
from seqrec.simulation import Oracle, PairOracle, Simulated, preset, simulate

# Small models and few epochs: the whole demo is to take minutes on two CPU cores. The validation
# part chooses the epoch, so too many of them cost time and nothing else.
SHARED: Mapping[str, Any] = {
    "windows": {"max_seq_len": 50},
    "training": {"ema": 0.99},
}
CELLS: dict[tuple[str, str], Mapping[str, Any]] = {
    ("lstm", "next_item"): {
        "lstm": {"embedding_dim": 64, "hidden_size": 64, "dropout": 0.3},
        "training": {"epochs": 5, "lr": 2e-3},
    },
    ("bert4rec", "next_item"): {
        "bert4rec": {"hidden_size": 64, "num_heads": 2, "dropout": 0.1, "output_dropout": 0.1},
        "training": {"epochs": 2, "lr": 2e-3},
    },
    ("lstm", "relevance"): {
        "lstm": {"embedding_dim": 64, "hidden_size": 64, "dropout": 0.3},
        "training": {"epochs": 5, "lr": 2e-3},
    },
    ("bert4rec", "relevance"): {
        "bert4rec": {"hidden_size": 64, "num_heads": 2, "dropout": 0.1},
        "relevance": {"targets_per_user": 6},
        "training": {"epochs": 3, "batch_size": 64, "lr": 1e-3},
    },
}


def run_demo(folder: Path, *, seed: int = 0, say: Say = lambda _: None) -> list[Comparison]:
    """Simulates a log, trains both models on both tasks and compares them with the ceiling.

    Args:
        folder: where the runs are kept; cells that are finished there are not trained again.
        seed: of the simulated log and of the models.
        say: told about progress, a line at a time.
    """
    settings = preset("demo", seed=seed)
    log = simulate(settings)
    say(
        f"simulated {settings.users:,} users, {settings.items:,} items, "
        f"{len(log.item_ids):,} actions"
    )
    dataset = Interactions.from_frame(log.to_pandas()).prepare()
    return compare(
        f"simulated-{seed}",
        dataset.split("leave_one_out"),
        folder=folder,
        cells=CELLS,
        layers={"demo": SHARED, "seed": {"training": {"seed": seed}}},
        ceiling=ceiling(log, dataset),
        say=say,
    )


def ceiling(log: Simulated, dataset: Dataset) -> Ceiling:
    """The oracle of a simulated log for the catalogue of its prepared data set."""
    raw = dataset.item_ids.decode(np.arange(dataset.n_items))
    oracle = Oracle(log.world, raw.astype(np.int64) - 1)
    return Ceiling(oracle, PairOracle(oracle))
