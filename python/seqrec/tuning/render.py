"""A search as a table of its best trials, in text or Markdown, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import Any, Literal

from seqrec.config import as_json, check
from seqrec.evaluation import grid
from seqrec.tuning.search import Search
from seqrec.tuning.trial import Trial


def render(search: Search, style: str, rows: int = 10) -> str:
    """The best trials, one a row; `style` is "text", "markdown" or "json", which has them all."""
    if style == "json":
        trials = [as_json(dataclasses.asdict(trial)) for trial in search.ranked()]
        return json.dumps({"monitor": search.monitor, "trials": trials}, indent=2)
    check(style in ("text", "markdown"), "format", style, "text, markdown or json")
    layout: Literal["text", "markdown"] = "markdown" if style == "markdown" else "text"
    paths = list(dict.fromkeys(path for trial in search.trials for path in trial.values))
    header = ["trial", search.monitor, "epoch", "minutes", *_short(paths), "status"]
    ranked = search.ranked()
    cells = [_row(trial, search.monitor, paths) for trial in ranked[:rows]]
    counts = Counter(trial.status for trial in ranked)
    summary = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{grid(header, cells, layout)}\n\ntrials: {summary}"


def _row(trial: Trial, monitor: str, paths: list[str]) -> list[str]:
    best = trial.best(monitor)
    value = "" if best is None else f"{best.metrics[monitor]:.4f}"
    epoch = "" if best is None else str(best.epoch)
    options = [_plain(trial.values.get(path)) for path in paths]
    return [str(trial.number), value, epoch, f"{trial.seconds / 60:.1f}", *options, trial.status]


def _short(paths: list[str]) -> list[str]:
    """The names of options without their tables, where that is enough."""
    names = Counter(path.rpartition(".")[2] for path in paths)
    return [p if names[p.rpartition(".")[2]] > 1 else p.rpartition(".")[2] for p in paths]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
