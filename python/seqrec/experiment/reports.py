"""The report of a run's last evaluation on each part, kept beside it with what it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqrec.config import as_json
from seqrec.errors import CheckpointError, ConfigError, DataError, ResourceError
from seqrec.evaluation import Report
from seqrec.files import read_json, whole_file, write_json

logger = logging.getLogger(__name__)


def keep_report(folder: Path, part: str, weights: Mapping[str, Any], report: Report) -> None:
    """Writes `report-PART.json` into the folder of a run; one that cannot be written is no loss.

    Args:
        folder: of the run.
        part: that was judged.
        weights: what tells the judged weights from later ones, as plain values.
        report: what was found.
    """
    try:
        with whole_file(_place(folder, part)) as aside:
            write_json(aside, {"weights": weights, "report": report.to_dict()})
    except ResourceError as error:
        logger.warning("the report is not kept beside the run: %s", error)


def kept_report(folder: Path, part: str, weights: Mapping[str, Any]) -> Report | None:
    """What `keep_report` wrote for these weights; None if it wrote nothing, or for other weights.

    Raises:
        CheckpointError: if the file is damaged.
    """
    path = _place(folder, part)
    if not path.exists():
        return None
    document = read_json(path, CheckpointError)
    try:
        if document["weights"] != as_json(weights):
            return None
        return Report.from_dict(document["report"])
    except (KeyError, TypeError, AttributeError, ConfigError, DataError) as error:
        raise CheckpointError(f"{path} is no report of a run: {error!r}") from None


def _place(folder: Path, part: str) -> Path:
    return folder / f"report-{part}.json"
