"""The wiring of a training run, read top to bottom: config -> model, batches, loss -> Run."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from seqrec import config as configs
from seqrec.allocator import give_back_freed_memory
from seqrec.batches import (
    BatchStream,
    ClozeRows,
    Negatives,
    NextItemRows,
    RelevancePairRows,
    RelevanceSequenceRows,
)
from seqrec.data import Split, evaluation_negatives, item_shares, item_vectors
from seqrec.errors import ConfigError, named_out_of_memory
from seqrec.evaluation import (
    evaluate_next_item,
    evaluate_relevance,
    next_item_protocol,
    rows_with_positive,
)
from seqrec.experiment.artifact import (
    REFIT,
    artifact_documents,
    artifact_tensors,
    model_protocol,
    new_model,
)
from seqrec.experiment.config import RunConfig, resolve
from seqrec.experiment.loading import begun_with
from seqrec.experiment.run import Run
from seqrec.experiment.scorer import ModelPairScorer, ModelScorer, max_history
from seqrec.models import LSTM, BERT4Rec
from seqrec.training import (
    Artifact,
    Ranks,
    Sampling,
    Validate,
    Watch,
    check_place,
    choose_device,
    make_objective,
    plain_tensors,
    seeded,
    stage,
    state_to_resume,
    thread_limit,
    train,
)

logger = logging.getLogger(__name__)

AnyRows = NextItemRows | ClozeRows | RelevanceSequenceRows | RelevancePairRows
VALIDATION_DRAWS = 2  # of the protocol's ten: enough to choose by, a fifth of the time


def fit(
    model: str,
    split: Split,
    *,
    task: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    max_seq_len: int | None = None,
    monitor: str | None = None,
    patience: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    config: Mapping[str, Any] | None = None,
    recipe: str | Path | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Trains a model on the training part of a split, choosing the weights on validation.

    The named options are the ones that most people set; they win over `config`, nested tables of
    any option, which wins over `recipe`, a TOML file of such tables.

    Args:
        model: "lstm" or "bert4rec".
        split: from `Interactions.split` or `Dataset.split`.
        task: "next_item", where nothing else is said, or "relevance".
        epochs: passes over the training rows.
        batch_size: rows of a step.
        lr: peak learning rate.
        max_seq_len: tokens that the model reads at most.
        monitor: validation metric that chooses the weights.
        patience: validations without a better value after which to stop.
        seed: of weights, dropout, batches and negatives.
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".
        config: nested tables, as {"lstm": {"hidden_size": 512}}.
        recipe: TOML file.
        folder: where the run is kept; without one it lives in memory until `Run.save`.
        resume: go on with the run that stopped in `folder`; options that are not given are its.
        overwrite: begin anew where `folder` holds a run; its ledger stays.

    Raises:
        ConfigError: for an unknown option or a value out of range.
        DataError: if the training part cannot be trained on.
    """
    if not isinstance(split, Split):
        raise ConfigError(
            f"option `split` is a {type(split).__name__}: give Dataset.split() or "
            "Interactions.split()"
        )
    is_path = recipe is None or isinstance(recipe, str | os.PathLike)
    configs.check(is_path, "recipe", recipe, "a TOML file; a table of options is `config`")
    training = {
        "epochs": epochs, "batch_size": batch_size, "lr": lr, "monitor": monitor,
        "patience": patience, "seed": seed, "device": device,
    }  # fmt: skip
    tables = {"training": _given(training), "windows": _given({"max_seq_len": max_seq_len})}
    place = _place(folder)
    layers = {
        "default": {"task": "next_item"},
        f"run {place}": begun_with(place) if resume and place else {},
        f"recipe {recipe}": configs.read_toml(Path(recipe)) if recipe else {},
        "config": _plain(config or {}),
        "argument": {**_given({"model": model, "task": task}), **tables},
    }
    return fit_layers(layers, split, folder=place, resume=resume, overwrite=overwrite)


def _place(folder: str | Path | None) -> Path | None:
    configs.check(folder != "", "folder", folder, "the name of one, or None")
    return None if folder is None else Path(folder)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None; NumPy's numbers as Python's."""
    return _plain({key: value for key, value in options.items() if value is not None})


def _plain(value: Any) -> Any:
    """Nested tables with NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def fit_layers(
    layers: Mapping[str, Mapping[str, Any]],
    split: Split,
    *,
    folder: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> Run:
    """`fit` with the config as named layers of tables, later ones winning; see `resolve`.

    `watch` is told about each validation; see `seqrec.training.train`.
    """
    run_config, origins = resolve(layers, split)
    return _fit(
        run_config, origins, split, split,
        folder=folder, resume=resume, overwrite=overwrite, watch=watch,
    )  # fmt: skip


def refit(
    run: Run, *, folder: str | Path | None = None, resume: bool = False, overwrite: bool = False
) -> Run:
    """Trains the model of a run again, from scratch, on its training *and* validation part.

    The same seed takes the number of steps that the run's validation chose, at the learning rates
    that the run took them with, however long they take; statistics such as the start of the item
    vectors are those of the larger part. What comes out can be judged on the test part alone.

    Args:
        run: finished, with its data set, and no refit itself.
        folder: where the new run is kept; without one it lives in memory until `Run.save`.
        resume: go on with the refit that stopped in `folder`.
        overwrite: begin anew where `folder` holds a run; its ledger stays.

    Raises:
        ConfigError: if the run's validation has chosen no number of steps.
        DataError: if the run was loaded without its data set.
    """
    split, chosen = run.need_split(), run.training
    if run.is_refit:
        raise ConfigError("the run is a refit: refit the run that was validated")
    if chosen is None or not chosen.finished or not chosen.best_step:
        raise ConfigError(
            f"the run ({run.status}) has no number of steps that validation chose: finish it first"
        )
    training = dataclasses.replace(
        run.config.training, max_steps=chosen.best_step, max_minutes=None, patience=None
    )
    return _fit(
        dataclasses.replace(run.config, training=training), run.origins, split,
        split.with_validation(), folder=_place(folder),
        resume=resume, overwrite=overwrite,
    )  # fmt: skip


@named_out_of_memory()
def _fit(
    run_config: RunConfig,
    origins: Mapping[str, str],
    split: Split,
    trained: Split,
    *,
    folder: Path | None,
    resume: bool,
    overwrite: bool,
    watch: Watch | None = None,
) -> Run:
    """Trains on the training part of `trained`: `split` itself, or `split` with its validation."""
    give_back_freed_memory()  # what an earlier run of this process has left: its shapes were others
    device = choose_device(run_config.training.device)
    check_place(folder, resume=resume, overwrite=overwrite)  # first weights may take minutes
    weights_follow = state_to_resume(folder, resume=resume) is not None
    with stage("first weights", wanted=Ranks(device).shows(run_config.training.progress)):
        model = build_model(run_config, trained, weights_follow=weights_follow)
    options = run_config.identity()
    del options["training"]  # the loop compares its own options
    is_refit = {} if trained is split else {REFIT: True}
    rows, protocol = build_rows(run_config, trained), {**model_protocol(split), **is_refit}
    sampling = rows.negatives and Sampling(
        log_q=rows.negatives.log_q, negatives=run_config.negatives_of_a_target
    )
    result = train(
        model,
        build_stream(rows, run_config, device),
        objective=make_objective(
            run_config.objective, run_config.model, run_config.task, sampling=sampling
        ),
        config=run_config.training,
        validate=None if is_refit else build_validate(run_config, split),
        watch=watch,
        folder=folder,
        resume=resume,
        overwrite=overwrite,
        total_steps=_steps(run_config, split) if is_refit else None,
        identity={
            "config": options,
            "data": split.dataset.fingerprint,
            "split": split.name,
            **({} if split.cuts is None else {"cuts": split.cuts}),
            **is_refit,
        },
        keep=Artifact(
            tensors=artifact_tensors(split.dataset.item_ids),
            documents=artifact_documents(run_config, origins, protocol),
        ),
        no_decay=("items.weight",) if run_config.objective.l2 > 0 else (),
    )
    logger.info("%s after %d steps, best at %d", result.status, result.steps, result.best_step)
    return Run(
        config=run_config,
        origins=origins,
        model=model.eval(),
        item_ids=split.dataset.item_ids,
        split=split,
        dataset=split.dataset,
        protocol=protocol,
        folder=folder,
        training=result,
    )


def build_model(
    run_config: RunConfig, split: Split, *, weights_follow: bool = False
) -> LSTM | BERT4Rec:
    """The model with its first weights, drawn from the run's seed; the items as [start] says.

    Their start takes seconds, with a large catalogue minutes, and is left out where the weights of
    a state follow.
    """
    n_items, start = split.dataset.n_items, run_config.start
    # Orthogonal weights come from a QR decomposition, whose last bits depend on the threads.
    with plain_tensors(), seeded(run_config.training.seed), thread_limit(1):
        model = new_model(run_config, n_items)
    if weights_follow:
        return model
    if start.item_vectors == "svd":
        width = model.items.weight.shape[1]
        vectors = item_vectors(split.train, n_items, width, window=start.window, std=start.std)
        model.items.start(torch.from_numpy(vectors))
    model.items.start_biases(torch.from_numpy(first_biases(run_config, split)))
    return model


def first_biases(run_config: RunConfig, split: Split) -> NDArray[np.float32]:
    """The logit that each item 1..N starts from, without regard to the user: float32 [N].

    By popularity log(N p), for its share p of the training actions: up to a constant the
    log-probability that it comes next, and the log-odds of a positive against a uniform negative.
    In a binary loss the n negatives of a positive are likelier by log n, and of negatives that are
    drawn in proportion to p to the power alpha it has 1 - alpha times as much.
    """
    logits = np.zeros(split.dataset.n_items, dtype=np.float32)
    negatives = run_config.negatives if run_config.objective.loss in ("bce", "gbce") else None
    if run_config.start.biases == "popularity":
        logits += np.log(split.dataset.n_items * item_shares(split.item_counts))
    if negatives is not None:
        logits *= 1 - (negatives.pop_alpha if negatives.neg_sampling == "popularity" else 0)
        logits -= math.log(run_config.negatives_of_a_target)
    return logits


def _steps(run_config: RunConfig, split: Split) -> int:
    """The steps of all epochs on the training part of the split."""
    options = run_config.training
    plan = build_rows(run_config, split).plan(options.seed, 0, options.batch_size)
    return plan.n_steps * options.epochs


def build_stream(rows: AnyRows, run_config: RunConfig, device: torch.device) -> BatchStream:
    """The training batches of a run: this rank's share of them under torch.distributed."""
    ranks = Ranks(device)
    return BatchStream(
        rows,
        run_config.training.batch_size,
        run_config.training.seed,
        rank=ranks.rank,
        world_size=ranks.world_size,
        device=device,
    )


def build_rows(run_config: RunConfig, split: Split) -> AnyRows:
    """What a training row is, for the model and task of a run."""
    sequences, n_items, windows = split.train, split.dataset.n_items, run_config.windows
    negatives = None
    if run_config.negatives is not None:
        user_ids = split.dataset.user_ids
        negatives = Negatives(sequences, n_items, run_config.negatives, user_ids=user_ids)
    if run_config.task == "next_item":
        if run_config.model == "lstm":
            return NextItemRows(sequences, windows, negatives=negatives)
        return ClozeRows(sequences, n_items, windows, run_config.cloze, negatives=negatives)
    assert negatives is not None  # RunConfig has the table for relevance
    if run_config.relevance is None:  # as for the LSTM, and for the last item of BERT4Rec
        prefixes = run_config.model == "bert4rec"
        return RelevanceSequenceRows(sequences, negatives, windows, prefixes=prefixes)
    return RelevancePairRows(
        sequences,
        negatives,
        max_seq_len=windows.max_seq_len,
        targets_per_user=run_config.relevance.targets_per_user,
    )


def build_validate(run_config: RunConfig, split: Split) -> Validate:
    """What the training loop calls to judge the current weights on the validation part.

    Raises:
        ConfigError: if the part cannot be judged by the config: a whole epoch before it would be.
        DataError: if the part has nobody to be judged on.
    """
    part, limit = split.valid, max_history(run_config)
    if run_config.task == "next_item":
        next_item_protocol(split, part, run_config.evaluation)

        def ranks(model: nn.Module) -> Mapping[str, float]:
            scorer = ModelScorer(model, limit)  # type: ignore[arg-type]
            return evaluate_next_item(scorer, split, part, run_config.evaluation).values()

        return ranks
    rows_with_positive(part)
    negatives = evaluation_negatives(
        split, part, draws=VALIDATION_DRAWS, kind=run_config.negatives_kind
    )

    def pairs(model: nn.Module) -> Mapping[str, float]:
        scorer = ModelPairScorer(ModelScorer(model, limit))  # type: ignore[arg-type]
        found = evaluate_relevance(
            scorer, split, part, negatives, batch_size=run_config.evaluation.batch_size
        )
        return found.values()

    return pairs
