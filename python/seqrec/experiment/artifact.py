"""What the artifact of a run holds: enough to recommend, and no user's data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from seqrec import config as configs
from seqrec.data import Split, Vocabulary
from seqrec.experiment.config import RunConfig
from seqrec.models import LSTM, BERT4Rec
from seqrec.training import TrainResult

REFIT = "refit"  # true in the protocol of a model that the validation part trained too


def new_model(run_config: RunConfig, n_items: int) -> LSTM | BERT4Rec:
    """The model of a config, initialised from torch's default generator."""
    if run_config.lstm is not None:
        return LSTM(n_items, run_config.lstm)
    assert run_config.bert4rec is not None  # RunConfig has the table of its model
    return BERT4Rec(n_items, run_config.bert4rec, run_config.task)


def artifact_tensors(item_ids: Vocabulary) -> dict[str, dict[str, torch.Tensor]]:
    """The item vocabulary as tensors: int64 ids, or offsets and UTF-8 bytes."""
    if item_ids.is_integer:
        ids = item_ids.decode(np.arange(len(item_ids)))
        return {"items": {"ids": torch.from_numpy(ids.copy())}}
    offsets, data = (torch.from_numpy(array.copy()) for array in item_ids.texts())
    return {"items": {"offsets": offsets, "bytes": data}}


def item_ids(items: Mapping[str, torch.Tensor]) -> Vocabulary:
    """The vocabulary of the catalogue: the inverse of `artifact_tensors`."""
    if "ids" in items:
        return Vocabulary.from_integers(items["ids"].numpy())
    return Vocabulary.from_strings(items["offsets"].numpy(), items["bytes"].numpy())


def artifact_documents(
    run_config: RunConfig,
    origins: Mapping[str, str],
    protocol: Mapping[str, Any],
    training: TrainResult | None = None,
    readings: int | None = None,
) -> dict[str, Any]:
    """Config, protocol, how training ended, how often the test part was read: JSON documents."""
    documents: dict[str, Any] = {
        "config": {"options": configs.to_dict(run_config), "origins": dict(origins)},
        "protocol": dict(protocol),
    }
    if training is not None:
        documents["training"] = dataclasses.asdict(dataclasses.replace(training, history=()))
    if readings is not None:
        documents["readings"] = {"test": readings}
    return documents


def noted_readings(documents: Mapping[str, Any]) -> int:
    """How often the test part had been read when the model was saved; 0 where nothing says so."""
    return documents.get("readings", {}).get("test", 0)


def training_result(documents: Mapping[str, Any]) -> TrainResult | None:
    """How training ended; None in a copy of `best/`, which was written before the end."""
    document = documents.get("training", {})
    names = {field.name for field in dataclasses.fields(TrainResult)}
    return TrainResult(**document) if set(document) == names else None


def model_protocol(split: Split) -> dict[str, Any]:
    """What a model has to remember of the split that it was trained on."""
    return {**split.protocol(), "filter_seen": split.filter_seen}
