"""Run: a trained model with what it takes to judge it and to recommend with it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from seqrec import config as configs
from seqrec.data import Dataset, Split, Vocabulary, evaluation_negatives
from seqrec.errors import CheckpointError, ConfigError, DataError
from seqrec.evaluation import (
    NextItemResult,
    RelevanceResult,
    Report,
    evaluate_next_item,
    evaluate_relevance,
)
from seqrec.experiment import recommend as recommending
from seqrec.experiment.config import RunConfig
from seqrec.experiment.scorer import ModelPairScorer, ModelScorer, max_history
from seqrec.models import LSTM, BERT4Rec
from seqrec.training import (
    BEST,
    TrainResult,
    check_state,
    choose_device,
    load_artifact,
    save_artifact,
    seeded,
)

LEDGER = "ledger.jsonl"


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """A trained model.

    Attributes:
        config: what was trained, and how.
        origins: where each option that was set came from.
        model: with the best (averaged) weights, in eval mode.
        item_ids: raw ids of the catalogue.
        filter_seen: whether the split's protocol filters seen items.
        split: what it was trained on; None after `load` without a data set.
        dataset: the histories of known users; None after `load` without a data set.
        folder: where the run is kept, if anywhere.
        training: how training went; None after `load`.
    """

    config: RunConfig
    origins: Mapping[str, str]
    model: LSTM | BERT4Rec
    item_ids: Vocabulary
    filter_seen: bool
    split: Split | None = None
    dataset: Dataset | None = None
    folder: Path | None = None
    training: TrainResult | None = None

    def evaluate(self, part: str = "valid", *, per_user: str | Path | None = None) -> Report:
        """Metrics on a part with 95 % intervals over users, and the protocol they follow.

        Args:
            part: "valid", or "test": each reading of the test part is written into the ledger of
                the run's folder, and the report says how many there were.
            per_user: Parquet file to write each user's result to.

        Raises:
            DataError: if the run was loaded without its data set.
        """
        split = self._need_split()
        result = self.results(part)
        if per_user is not None:
            result.write(Path(per_user), split.dataset.user_ids, self.item_ids)
        report = result.report(system=f"{self.config.model}")
        if part == "test":
            report = report.with_counts({"test_readings": self.note_reading()})
        return report

    def results(self, part: str = "valid") -> NextItemResult | RelevanceResult:
        """What `evaluate` reports on, user by user: for paired comparisons."""
        split = self._need_split()
        judged = split.part(part)
        if self.config.task == "next_item":
            return evaluate_next_item(self.scorer, split, judged, self.config.evaluation)
        popular = self.config.popularity_matched
        negatives = evaluation_negatives(split, judged, popularity=popular)
        return evaluate_relevance(
            ModelPairScorer(self.scorer), split, judged, negatives,
            kind="popularity" if popular else "uniform",
        )  # fmt: skip

    @property
    def scorer(self) -> ModelScorer:
        """From histories to scores, as evaluation and recommendation use it."""
        return ModelScorer(self.model, max_history(self.config))

    def recommend(
        self,
        *,
        users: Iterable[Any] | None = None,
        sequences: Sequence[Sequence[Any]] | None = None,
        k: int = 10,
        filter_seen: bool | None = None,
        exclude: Iterable[Any] = (),
        candidates: Iterable[Any] | None = None,
        unknown: recommending.UnknownPolicy = "skip",
    ) -> pd.DataFrame:
        """The best k items: user_id, item_id, score, probability, rank, best first.

        Args:
            users: known users by raw id, with their whole histories from the data set; give
                neither `users` nor `sequences` for everybody.
            sequences: histories of anybody, raw item ids, oldest first; `user_id` is then the
                number of the sequence, from 0. No data set is needed.
            k: length of the lists; shorter where fewer items remain.
            filter_seen: leave out the items of the history; None: as the run is evaluated.
            exclude: raw ids of items that nobody gets.
            candidates: raw ids of the only items to rank. BERT4Rec judges relevance for given
                candidates only, so it needs them there.
            unknown: what to do with items that the model does not know: "skip" them (the frame's
                `attrs["unknown_items"]` counts) or "error".

        Returns:
            A frame; `probability` is the softmax over the catalogue (next item) or the sigmoid
            (relevance) of `score`.

        Raises:
            DataError: for unknown users, or unknown items where that is an error.
            ConfigError: for contradicting options.
        """
        if users is not None and sequences is not None:
            raise ConfigError("give `users` or `sequences`, not both")
        queries = self._queries(users, sequences, unknown)
        wanted = None
        if candidates is not None:
            wanted = recommending.catalogue_ids(self.item_ids, candidates, "candidates")
        default = self.config.evaluation.filter_seen
        if filter_seen is None:
            filter_seen = self.filter_seen if default is None else default
        return recommending.top_items(
            self.scorer, queries, self.item_ids, task=self.config.task, k=k,
            filter_seen=filter_seen, candidates=wanted,
            exclude=recommending.catalogue_ids(self.item_ids, exclude, "exclude"),
        )  # fmt: skip

    def predict_proba(
        self,
        candidates: Sequence[Sequence[Any]],
        *,
        users: Iterable[Any] | None = None,
        sequences: Sequence[Sequence[Any]] | None = None,
        unknown: recommending.UnknownPolicy = "skip",
    ) -> pd.DataFrame:
        """How likely each given item is: user_id, item_id, score, probability.

        Args:
            candidates: for each user or sequence, the raw ids of the items to judge.
            users: known users by raw id.
            sequences: histories of anybody, raw item ids, oldest first.
            unknown: what to do with unknown items of the *histories*; unknown candidates are
                errors.

        Returns:
            A frame in the order of the candidates; `probability` as in `recommend`.
        """
        if (users is None) == (sequences is None):
            raise ConfigError("give either `users` or `sequences`")
        queries = self._queries(users, sequences, unknown)
        return recommending.judged_pairs(
            self.scorer, queries, self.item_ids, candidates, task=self.config.task
        )

    def save(self, folder: str | Path) -> None:
        """Writes the artifact: weights, config, item ids and protocol; no user's data."""
        state = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
        tensors = {"model": state, **artifact_tensors(self.item_ids)}
        documents = artifact_documents(self.config, self.origins, self._need_split())
        save_artifact(Path(folder), tensors, documents)

    def _queries(
        self,
        users: Iterable[Any] | None,
        sequences: Sequence[Sequence[Any]] | None,
        unknown: recommending.UnknownPolicy,
    ) -> recommending.Queries:
        if sequences is not None:
            return recommending.new_sequences(self.item_ids, sequences, unknown)
        if self.dataset is None:
            raise DataError(
                "the histories of known users are not part of a saved model: "
                "give `sequences`, or load the run with `dataset=`"
            )
        return recommending.known_users(self.dataset, users)

    def _need_split(self) -> Split:
        if self.split is None:
            raise DataError("the run was loaded without its data set: load it with `dataset=`")
        return self.split

    def note_reading(self) -> int:
        """Adds a line to the ledger of readings of the test part; returns how many there are."""
        if self.folder is None:
            return 1
        line = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "config": configs.digest(self.config),
        }
        path = self.folder / LEDGER
        with path.open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(line) + "\n")
        return len(path.read_text(encoding="utf-8").splitlines())


def artifact_tensors(item_ids: Vocabulary) -> dict[str, dict[str, torch.Tensor]]:
    """The item vocabulary as tensors: int64 ids, or offsets and UTF-8 bytes."""
    if item_ids.is_integer:
        ids = item_ids.decode(np.arange(len(item_ids)))
        return {"items": {"ids": torch.from_numpy(ids.copy())}}
    offsets, data = (torch.from_numpy(array.copy()) for array in item_ids.texts())
    return {"items": {"offsets": offsets, "bytes": data}}


def artifact_documents(
    run_config: RunConfig, origins: Mapping[str, str], split: Split
) -> dict[str, Any]:
    """Config and protocol of a run as JSON documents."""
    return {
        "config": {"options": configs.to_dict(run_config), "origins": dict(origins)},
        "protocol": {
            "version": 1,
            "split": split.name,
            "cuts": split.cuts,
            "filter_seen": split.filter_seen,
            "n_items": split.dataset.n_items,
            "data": split.dataset.fingerprint,
        },
    }


def load(folder: str | Path, *, dataset: Dataset | None = None, device: str = "auto") -> Run:
    """The run of a folder made by training, or the model of a folder made by `Run.save`.

    Args:
        folder: the run's folder, or an artifact.
        dataset: needed to evaluate, and to recommend to known users by id.
        device: where the model goes.

    Raises:
        CheckpointError: if a file is damaged, missing or of another format.
        DataError: if the data set is not the one that the run was trained on.
    """
    folder = Path(folder)
    is_run = (folder / BEST).is_dir()
    place = folder / BEST if is_run else folder
    artifact = load_artifact(place)
    try:
        options, protocol = artifact.documents["config"]["options"], artifact.documents["protocol"]
        origins, items = artifact.documents["config"]["origins"], artifact.tensors["items"]
        weights = artifact.tensors["model"]
    except KeyError as missing:
        raise CheckpointError(f"{place} is no saved model: it lacks {missing}") from None
    run_config = configs.read(RunConfig, options)
    if "ids" in items:
        item_ids = Vocabulary.from_integers(items["ids"].numpy())
    else:
        item_ids = Vocabulary.from_strings(items["offsets"].numpy(), items["bytes"].numpy())
    with seeded(0):  # its weights are replaced; the caller's generator stays where it is
        model = new_model(run_config, len(item_ids))
    check_state(model, weights, source=str(place))
    model.load_state_dict(weights)
    return Run(
        config=run_config,
        origins=origins,
        model=model.to(choose_device(device)).eval(),
        item_ids=item_ids,
        filter_seen=protocol["filter_seen"],
        split=None if dataset is None else _same_split(dataset, protocol, place),
        dataset=dataset,
        folder=folder if is_run else None,
    )


def new_model(run_config: RunConfig, n_items: int) -> LSTM | BERT4Rec:
    """The model of a config, initialised from torch's default generator."""
    if run_config.lstm is not None:
        return LSTM(n_items, run_config.lstm)
    assert run_config.bert4rec is not None  # RunConfig has the table of its model
    return BERT4Rec(n_items, run_config.bert4rec, run_config.task)


def _same_split(dataset: Dataset, protocol: Mapping[str, Any], place: Path) -> Split:
    if dataset.fingerprint != protocol["data"]:
        raise DataError(
            f"{place} was trained on data {protocol['data'][:12]}, "
            f"and this data set is {dataset.fingerprint[:12]}: evaluate it on its own data"
        )
    cuts = protocol["cuts"]
    return dataset.split(protocol["split"], None if cuts is None else tuple(cuts))
