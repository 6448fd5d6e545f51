"""A split and options so small that a run of any model and task takes a second."""

from __future__ import annotations

from seqrec import config
from seqrec.data import Interactions
from seqrec.simulation import preset, simulate

SHARED = {
    "windows": {"max_seq_len": 8},
    "start": {"item_vectors": "random"},
    "training": {"epochs": 1, "batch_size": 32, "device": "cpu", "threads": 1, "precision": "fp32"},
    "evaluation": {"resamples": 50},
}
MODELS = {
    "lstm": {"lstm": {"embedding_dim": 8, "hidden_size": 8}},
    "bert4rec": {"bert4rec": {"hidden_size": 8, "num_layers": 1}},
}


def tiny_split():
    log = simulate(preset("demo", users=60, items=30, mean_length=8, seed=1))
    return Interactions.from_frame(log.to_pandas()).prepare().split("leave_one_out")


def tiny(model, **tables):
    """The options of a run of this model, with more tables laid over them."""
    return config.merge(SHARED, MODELS[model], tables)
