"""From a whole config back to a recipe: the options that are not the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqrec import config as configs
from seqrec.experiment import RunConfig, resolve


def recipe_of(run_config: RunConfig) -> dict[str, Any]:
    """The shortest tables that `resolve` makes this config of."""
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

    def is_said(table: str, option: str, value: Any) -> bool:
        defaults: Mapping[str, Any] = plain if option in shaping.get(table, {}) else usual
        return value is not None and value != defaults[table][option]

    said = {
        table: {option: value for option, value in values.items() if is_said(table, option, value)}
        for table, values in options.items()
    }
    return {**cell, **{table: values for table, values in said.items() if values}}
