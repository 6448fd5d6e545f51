"""Results on disk: the report of a system, and what each user got, so that pairs stay paired."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqrec.comparison.systems import Result
from seqrec.config import as_json, differences
from seqrec.errors import CheckpointError, ConfigError, DataError
from seqrec.evaluation import NextItemResult, RelevanceResult, Report
from seqrec.folder import exists
from seqrec.training import load_artifact, load_document, save_artifact

KINDS: dict[str, type[NextItemResult] | type[RelevanceResult]] = {
    "next_item": NextItemResult,
    "relevance": RelevanceResult,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What a system got on a part.

    Attributes:
        result: user by user.
        report: the means with their intervals, and how the system was trained.
    """

    result: Result
    report: Report


def save_judged(folder: Path, judged: Judged, identity: Mapping[str, Any]) -> None:
    """Writes results and report as an artifact.

    Args:
        folder: its place.
        judged: what is kept.
        identity: what the numbers depend on, as nested tables of plain values.
    """
    result = judged.result
    values = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    arrays = {k: torch.from_numpy(v.copy()) for k, v in values.items() if isinstance(v, np.ndarray)}
    plain = {key: value for key, value in values.items() if key not in arrays}
    document = {
        "task": result.protocol["task"],
        "identity": as_json(identity),
        "values": plain,
        "report": judged.report.to_dict(),
    }
    save_artifact(folder, {"arrays": arrays}, {"result": document})


def results_place(folder: Path, part: str) -> Path:
    """Where the results of a cell lie on a part, in the folder of its run."""
    return folder / f"results-{part}"


def load_report(folder: Path) -> tuple[Report, Mapping[str, Any]] | None:
    """The report and the identity that `save_judged` wrote, whatever they are; None without any.

    Raises:
        CheckpointError: if it is damaged.
    """
    if not exists(folder):
        return None
    document = load_document(folder, "result")
    try:
        # Before results said what they depend on, there was no identity: it equals no other.
        return Report.from_dict(document["report"]), document.get("identity", {})
    except (KeyError, TypeError, AttributeError, ConfigError, DataError) as error:
        raise CheckpointError(f"{folder} holds no results: {error!r}") from None


def load_judged(folder: Path, identity: Mapping[str, Any]) -> Judged | None:
    """What `save_judged` wrote for the same identity; None if there is nothing.

    Raises:
        CheckpointError: if it is damaged, or of other data or another config: names what differs.
    """
    if not exists(folder):
        return None
    artifact = load_artifact(folder)
    document: dict[str, Any] = artifact.documents["result"]
    if "identity" not in document:
        return None  # written before results said what they depend on
    wrong = differences(document["identity"], identity)
    if wrong:
        raise CheckpointError(
            f"{folder} holds results of another run: {'; '.join(wrong)}. Choose another folder, or "
            "delete this one to train and judge anew"
        )
    arrays = {name: tensor.numpy() for name, tensor in artifact.tensors["arrays"].items()}
    result = KINDS[document["task"]](**arrays, **document["values"])
    return Judged(result, Report.from_dict(document["report"]))
