"""Run: a trained model with what it takes to judge it and to recommend with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from seqrec import config as configs
from seqrec.data import Dataset, Split, Vocabulary, evaluation_negatives
from seqrec.errors import CheckpointError, ConfigError, DataError, named_out_of_memory
from seqrec.evaluation import (
    NextItemResult,
    RelevanceResult,
    Report,
    evaluate_next_item,
    evaluate_relevance,
)
from seqrec.experiment import recommend as recommending
from seqrec.experiment.artifact import REFIT, artifact_documents, artifact_tensors
from seqrec.experiment.config import RunConfig
from seqrec.experiment.ledger import note_reading, readings
from seqrec.experiment.reports import keep_report, kept_report
from seqrec.experiment.scorer import ModelPairScorer, ModelScorer, max_history
from seqrec.models import LSTM, BERT4Rec
from seqrec.table import check_target
from seqrec.training import TrainResult, save_artifact

UNFINISHED = "unfinished"  # the caveat of a run of whose end nothing is known


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """A trained model.

    Attributes:
        config: what was trained, and how.
        origins: where each option that was set came from.
        model: with the best (averaged) weights, in eval mode.
        item_ids: raw ids of the catalogue.
        protocol: what it was trained on: split, cuts, data, catalogue, seen filter.
        split: what it was trained on; None after `load` without a data set.
        dataset: the histories of known users; None after `load` without a data set.
        folder: where the run is kept, if anywhere.
        training: how training went; None for the best weights of a run that has not ended.
        noted_readings: how often the test part has been read, where there is no folder with a
            ledger of it.
    """

    config: RunConfig
    origins: Mapping[str, str]
    model: LSTM | BERT4Rec
    item_ids: Vocabulary
    protocol: Mapping[str, Any]
    split: Split | None = None
    dataset: Dataset | None = None
    folder: Path | None = None
    training: TrainResult | None = None
    noted_readings: int = 0

    def __repr__(self) -> str:
        place = "" if self.folder is None else f", {self.folder}"
        cell = f"{self.config.model} on {self.config.task}"
        return f"Run({cell}, {len(self.item_ids):,} items, {self.status}{place})"

    def evaluate(self, part: str = "valid", *, per_user: str | Path | None = None) -> Report:
        """Metrics on a part with 95 % intervals over users, and the protocol they follow.

        Args:
            part: "valid", or "test": each reading of the test part is written into the ledger of
                the run's folder, and every report says how many there were.
            per_user: .parquet or .csv to write each user's result to.

        Raises:
            ConfigError: for another ending of `per_user`.
            DataError: if the run was loaded without its data set.
        """
        if per_user is not None:
            check_target(Path(per_user), "per_user")
        split = self.need_split()
        result = self.results(part)
        if per_user is not None:
            result.write(Path(per_user), split.dataset.user_ids, self.item_ids)
        report = self.described(result.report(system=self.config.model))
        if self.folder is not None:
            keep_report(self.folder, part, self._weights(), report)
        return report

    def last_report(self, part: str = "valid") -> Report | None:
        """What `evaluate` found last, kept in the run's folder; None for later or other weights."""
        return None if self.folder is None else kept_report(self.folder, part, self._weights())

    @named_out_of_memory()
    def results(self, part: str = "valid") -> NextItemResult | RelevanceResult:
        """What `evaluate` reports on, user by user: for paired comparisons."""
        split, evaluation = self.need_split(), self.config.evaluation
        judged = split.part(part)
        if self.is_refit and part == "valid":
            raise DataError("a refit was trained on the validation part: judge it on `test`")
        if part == "test":
            self._note_reading()
        if self.config.task == "next_item":
            # Which targets are cold is a matter of what this model was trained on.
            trained = split.with_validation() if self.is_refit else split
            return evaluate_next_item(self.scorer, trained, judged, evaluation)
        kind = self.config.negatives_kind
        negatives = evaluation_negatives(split, judged, kind=kind)
        return evaluate_relevance(
            ModelPairScorer(self.scorer), split, judged, negatives,
            kind=kind, batch_size=evaluation.batch_size, resamples=evaluation.resamples,
        )  # fmt: skip

    def described(self, report: Report) -> Report:
        """The report of this run's results with how it was trained, and its caveat if any."""
        finished = self.training is not None and self.training.finished
        return dataclasses.replace(
            report,
            counts={**report.counts, "test_readings": self.test_readings},
            training=self.facts,
            caveat="" if finished else self.status,
        )

    @property
    def status(self) -> str:
        """How training ended: `completed`, `early-stopped`, `time-limited`, or `unfinished`."""
        return UNFINISHED if self.training is None else self.training.status

    @property
    def is_refit(self) -> bool:
        """Whether the validation part was trained on too: see `refit`."""
        return bool(self.protocol.get(REFIT))

    @property
    def facts(self) -> dict[str, Any]:
        """How the run came about, for reports: status, steps, minutes, precision, seed."""
        options, ended = self.config.training, self.training
        facts: dict[str, Any] = {"status": self.status}
        if ended is not None:
            facts |= {"steps": ended.steps, "best_step": ended.best_step}
            if ended.targets:  # states of before 0.1 did not count them
                facts["targets"] = ended.targets
            facts["minutes"] = round(ended.seconds / 60, 1)
        facts |= {"precision": options.precision, "seed": options.seed}
        if self.is_refit:
            facts[REFIT] = True
        return facts | {name: round(w, 4) for name, w in self.model.mixture().items()}

    @property
    def test_readings(self) -> int:
        """How often the test part has been read."""
        return self.noted_readings if self.folder is None else readings(self.folder)

    @property
    def filter_seen(self) -> bool:
        """Whether seen items are filtered where nothing else is said: as in evaluation."""
        chosen = self.config.evaluation.filter_seen
        return self.protocol["filter_seen"] if chosen is None else chosen

    @property
    def scorer(self) -> ModelScorer:
        """From histories to scores, as evaluation and recommendation use it."""
        return ModelScorer(self.model, max_history(self.config))

    @named_out_of_memory()
    def recommend(
        self,
        *,
        users: Iterable[Any] | None = None,
        sequences: Iterable[Iterable[Any]] | None = None,
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
            candidates: raw ids of the only items to rank. BERT4Rec with its relevance head inside
                judges given candidates only, so it needs them.
            unknown: what to do with items that the model does not know: "skip" them (the frame's
                `attrs["unknown_items"]` counts) or "error". How many histories have no item left to
                recommend is in `attrs["empty_lists"]`.

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
        return recommending.top_items(
            self.scorer, queries, self.item_ids, task=self.config.task, k=k,
            filter_seen=self.filter_seen if filter_seen is None else filter_seen,
            candidates=wanted,
            exclude=recommending.catalogue_ids(self.item_ids, exclude, "exclude"),
        )  # fmt: skip

    @named_out_of_memory()
    def predict_proba(
        self,
        candidates: Iterable[Iterable[Any]],
        *,
        users: Iterable[Any] | None = None,
        sequences: Iterable[Iterable[Any]] | None = None,
        unknown: recommending.UnknownPolicy = "skip",
    ) -> pd.DataFrame:
        """How likely each given item is: user_id, item_id, score, probability.

        Args:
            candidates: for each user or sequence, the raw ids of the items to judge.
            users: known users by raw id.
            sequences: histories of anybody, raw item ids, oldest first.
            unknown: what to do with unknown items of the *histories*: "skip" them, which
                `attrs["unknown_items"]` counts, or "error"; unknown candidates are errors.

        Returns:
            A frame in the order of the candidates; `probability` as in `recommend`.
        """
        if (users is None) == (sequences is None):
            raise ConfigError("give either `users` or `sequences`")
        queries = self._queries(users, sequences, unknown)
        return recommending.judged_pairs(
            self.scorer, queries, self.item_ids, candidates, task=self.config.task
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes the artifact: weights, config, item ids, protocol; no user's data.

        Args:
            folder: must not exist, or be empty.
            overwrite: replace a model that is there.

        Raises:
            ResourceError: if the folder may not be replaced, or the disk refuses.
            CheckpointError: if the weights were cast to another type, which could not be loaded.
        """
        state = {name: tensor.detach().cpu() for name, tensor in self.model.state_dict().items()}
        for name, tensor in state.items():
            if tensor.dtype != torch.float32:
                raise CheckpointError(
                    f"{name} is {tensor.dtype}: weights are saved in float32, so call model.float()"
                )
        tensors = {"model": state, **artifact_tensors(self.item_ids)}
        documents = artifact_documents(
            self.config, self.origins, self.protocol, self.training, self.test_readings
        )
        save_artifact(Path(folder), tensors, documents, replace=overwrite)

    def _queries(
        self,
        users: Iterable[Any] | None,
        sequences: Iterable[Iterable[Any]] | None,
        unknown: recommending.UnknownPolicy,
    ) -> recommending.Queries:
        configs.check(unknown in ("skip", "error"), "unknown", unknown, "'skip' or 'error'")
        if sequences is not None:
            return recommending.new_sequences(self.item_ids, sequences, unknown)
        if self.dataset is None:
            raise DataError(
                "the histories of known users are not part of a saved model: "
                "give `sequences`, or load the run with `dataset=`"
            )
        return recommending.known_users(self.dataset, users)

    def need_split(self) -> Split:
        """The split, where there is one.

        Raises:
            DataError: if the run was loaded without its data set.
        """
        if self.split is None:
            raise DataError("the run was loaded without its data set: load it with `dataset=`")
        return self.split

    def _note_reading(self) -> None:
        self.noted_readings += 1
        if self.folder is not None:
            note_reading(self.folder, configs.digest(self.config))

    def _weights(self) -> dict[str, Any]:
        """What tells these weights from those of another run, or of this one trained on."""
        steps = None if self.training is None else [self.training.steps, self.training.best_step]
        protocol = dict(self.protocol)  # another run that takes over the folder may have another
        return {"config": self.config.identity(), "protocol": protocol, "steps": steps}
