"""From a folder back to a run, or to a model that recommends without any data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seqrec import config as configs
from seqrec.data import Dataset, Split
from seqrec.errors import CheckpointError, ConfigError, DataError
from seqrec.experiment.artifact import item_ids, new_model, noted_readings, training_result
from seqrec.experiment.config import RunConfig
from seqrec.experiment.run import Run
from seqrec.folder import exists
from seqrec.training import (
    BEST,
    LAST,
    TrainResult,
    check_state,
    choose_device,
    load_artifact,
    load_document,
    open_state,
    options_of,
    plain_tensors,
    state_to_resume,
)
from seqrec.training.journal import LOG


def begun_with(folder: Path) -> dict[str, Any]:
    """The options of the run whose state is in a folder, as tables; none without a state.

    Those that a run may be resumed with others of, such as threads, are left out.

    Raises:
        CheckpointError: if the state is damaged.
    """
    state = state_to_resume(folder, resume=True)
    return {} if state is None else options_of(load_document(state, "identity"))


def load(folder: str | Path, *, dataset: Dataset | None = None, device: str = "auto") -> Run:
    """The run of a folder made by training, or the model of a folder made by `Run.save`.

    Args:
        folder: the run's folder, or an artifact.
        dataset: needed to evaluate, and to recommend to known users by id.
        device: where the model goes.

    Raises:
        CheckpointError: if a file is damaged, missing or of another format.
        DataError: if the data set is not the one that the run was trained on.
        ConfigError: if it is no data set, or for a device that there is not.
    """
    folder = Path(folder)
    is_run = exists(folder / BEST)
    if not is_run and (folder / LOG).exists():
        raise CheckpointError(
            f"{folder} holds no model yet, as its training has not come to a validation: go on "
            "by the command that began it, with --resume"
        )
    place = folder / BEST if is_run else folder
    artifact = load_artifact(place)
    try:
        options, protocol = artifact.documents["config"]["options"], artifact.documents["protocol"]
        origins, items = artifact.documents["config"]["origins"], artifact.tensors["items"]
        weights = artifact.tensors["model"]
    except KeyError as missing:
        raise CheckpointError(f"{place} is no saved model: it lacks {missing}") from None
    try:
        run_config = configs.read(RunConfig, options)
    except ConfigError as error:
        raise CheckpointError(f"{place} is not of this version of seqrec: {error}") from None
    vocabulary = item_ids(items)
    with plain_tensors():
        with torch.device("meta"):  # nothing is drawn for weights that come from the file
            model = new_model(run_config, len(vocabulary))
        check_state(model, weights, source=str(place))
        model.to_empty(device="cpu")
        model.load_state_dict(weights)
        model.to(choose_device(device))
    return Run(
        config=run_config,
        origins=origins,
        model=model.eval(),
        item_ids=vocabulary,
        protocol=protocol,
        split=None if dataset is None else _same_split(dataset, protocol, place),
        dataset=dataset,
        folder=folder if is_run else None,
        training=_ended(folder) if is_run else training_result(artifact.documents),
        noted_readings=noted_readings(artifact.documents),
    )


def _ended(folder: Path) -> TrainResult | None:
    """How the run of a folder ended; None before its first state was saved."""
    last = folder / LAST
    if not exists(last):
        return None
    return open_state(load_document(last, "state"), last).result()


def _same_split(dataset: Dataset, protocol: Mapping[str, Any], place: Path) -> Split:
    what = f"a {type(dataset).__name__}"
    configs.check(isinstance(dataset, Dataset), "dataset", what, "a Dataset: Dataset.load(folder)")
    if dataset.fingerprint != protocol["data"]:
        raise DataError(
            f"{place} was trained on data {protocol['data'][:12]}, "
            f"and this data set is {dataset.fingerprint[:12]}: evaluate it on its own data"
        )
    cuts = protocol.get("cuts")
    return dataset.split(protocol["split"], None if cuts is None else tuple(cuts))
