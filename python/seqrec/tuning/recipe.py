"""The recipe of the best trial, with a comment that says how it was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqrec import config as configs
from seqrec.data.split import split_options
from seqrec.errors import CheckpointError
from seqrec.files import read_json, whole_file
from seqrec.tuning.search import STUDY, Search
from seqrec.tuning.space import Layers, Space


def write_recipe(search: Search, layers: Layers, space: Space, budget: Mapping[str, Any]) -> None:
    """Writes `best.toml`: the layers that the search began with, and the best trial's values."""
    best = search.best
    assert best is not None  # the caller has looked
    asked = configs.merge(*layers.values(), space.tables(best.values))
    cell = {key: asked.pop(key) for key in ("model", "task")}
    text = _comment(search, budget) + configs.toml_tables({**cell, **asked})
    with whole_file(search.recipe) as aside:
        aside.write_text(text, encoding="utf-8")


def _comment(search: Search, budget: Mapping[str, Any]) -> str:
    best, study = search.best, read_json(search.folder / STUDY, CheckpointError)
    assert best is not None
    found = best.best(search.monitor)
    assert found is not None
    split, given_up = study["split"], sum(t.status == "pruned" for t in search.trials)
    lines = [
        f"Found by `seqrec tune`: trial {best.number} of {len(search.trials)} ({given_up} pruned),",
        f"{search.monitor} {found.metrics[search.monitor]:.4f} on validation after epoch "
        f"{found.epoch}; {best.status}.",
        f"Data {split['data']}, {split['split']}, {split['catalogue']:,} items, protocol version "
        f"{split['version']}.",
        f"Seeds: {study['config']['training']['seed']} of the runs, {study['seed']} of the search.",
    ]
    if options := split_options(split):
        lines.append(f"To be trained with{options}.")
    short = [
        f"{table}.{key} = {configs.toml_value(value)}"
        for table, values in budget.items()
        for key, value in values.items()
    ]
    if short:
        lines.append(f"The trials were short ({', '.join(short)}), and this recipe is not.")
    return "".join(f"# {line}\n" for line in lines) + "\n"
