"""A small simulated data set and quick options, shared by the end-to-end tests."""

from __future__ import annotations

import pytest

from seqrec.data import Interactions
from seqrec.simulation import preset, simulate

QUICK = {
    "windows": {"max_seq_len": 20},
    "training": {"epochs": 2, "batch_size": 64, "lr": 3e-3, "ema": 0.9, "device": "cpu"},
}
SMALL = {
    "lstm": {"lstm": {"embedding_dim": 16, "hidden_size": 24}},
    "bert4rec": {"bert4rec": {"hidden_size": 16, "num_layers": 1, "dropout": 0.0}},
}


@pytest.fixture(scope="session")
def log():
    return simulate(preset("demo", users=300, items=80, mean_length=15, seed=3))


@pytest.fixture(scope="session")
def dataset(log):
    return Interactions.from_frame(log.to_pandas()).prepare()


@pytest.fixture(scope="session")
def split(dataset):
    return dataset.split("leave_one_out")


@pytest.fixture(scope="session")
def quick():
    return lambda model: {**QUICK, **SMALL[model]}
