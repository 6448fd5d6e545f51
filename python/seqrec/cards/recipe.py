"""From a whole config back to a recipe: the options that are not the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqrec import config as configs
from seqrec.experiment import RunConfig, resolve

# Options whose defaults have moved, or depend on the data or the machine: a recipe that is to last
# says them.
PINNED = {
    "lstm": {"embedding_dim", "hidden_size", "dropout", "output_dropout"},
    "bert4rec": {
        "hidden_size",
        "num_heads",
        "dropout",
        "output_dropout",
        "layer_scale",
        "relevance_head",
    },
    "windows": {"max_seq_len"},
    "cloze": {"mask_prob", "last_only_prob"},
    "relevance": {"targets_per_user"},
    "start": {"window", "std", "biases"},
    "objective": {"label_smoothing"},
    "training": {"epochs", "batch_size", "lr", "betas", "ema", "precision"},
}


def recipe_of(run_config: RunConfig) -> dict[str, Any]:
    """The tables that `resolve` makes this config of: what is no default, and what is `PINNED`."""
    options = configs.to_dict(run_config)
    cell = {key: options.pop(key) for key in ("model", "task")}
    # These two decide what other defaults there are; `resolve` derives BERT4Rec's length.
    shaping = {
        "objective": {"loss": run_config.objective.loss},
        "evaluation": {"k": run_config.evaluation.k},
    }
    options.get("bert4rec", {}).pop("max_seq_len", None)
    plain = configs.to_dict(resolve({"cell": cell})[0])
    usual = configs.to_dict(resolve({"cell": {**cell, **shaping}})[0])

    # Its default depends on the data for "ce" alone; with another loss it can only be 0. And heads
    # are those of relevance.
    unpinned = () if run_config.objective.loss == "ce" else ("label_smoothing",)
    unpinned += ("relevance_head",) if run_config.task == "next_item" else ()

    def is_said(table: str, option: str, value: Any) -> bool:
        defaults: Mapping[str, Any] = plain if option in shaping.get(table, {}) else usual
        pinned = option in PINNED.get(table, ()) and option not in unpinned
        return value is not None and (pinned or value != defaults[table][option])

    said = {
        table: {option: value for option, value in values.items() if is_said(table, option, value)}
        for table, values in options.items()
    }
    return {**cell, **{table: values for table, values in said.items() if values}}
