"""Results of a cell on disk: what each user got, so that comparisons stay paired."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqrec.comparison.systems import Result
from seqrec.data import Split
from seqrec.errors import CheckpointError
from seqrec.evaluation import NextItemResult, RelevanceResult
from seqrec.training import load_artifact, save_artifact

KINDS: dict[str, type[NextItemResult] | type[RelevanceResult]] = {
    "next_item": NextItemResult,
    "relevance": RelevanceResult,
}


def save_results(folder: Path, result: Result, split: Split) -> None:
    """Writes the arrays and the protocol of a result as an artifact."""
    values = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    arrays = {k: torch.from_numpy(v.copy()) for k, v in values.items() if isinstance(v, np.ndarray)}
    plain = {key: value for key, value in values.items() if key not in arrays}
    document = {"task": result.protocol["task"], "data": split.dataset.fingerprint, "values": plain}
    save_artifact(folder, {"arrays": arrays}, {"result": document})


def load_results(folder: Path, split: Split) -> Result:
    """What `save_results` wrote for the same data.

    Raises:
        CheckpointError: if it is damaged, or the results are of other data.
    """
    artifact = load_artifact(folder)
    document: dict[str, Any] = artifact.documents["result"]
    if document["data"] != split.dataset.fingerprint:
        raise CheckpointError(f"{folder} holds results on other data: choose another folder")
    arrays = {name: tensor.numpy() for name, tensor in artifact.tensors["arrays"].items()}
    return KINDS[document["task"]](**arrays, **document["values"])
