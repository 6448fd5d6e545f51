"""The cells of the comparison, a model and a task each, and which tables of options one reads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from seqrec.config import unknown_value
from seqrec.errors import ConfigError

ModelName = Literal["lstm", "bert4rec"]
TaskName = Literal["next_item", "relevance"]
MODELS: tuple[ModelName, ...] = ("lstm", "bert4rec")
TASKS: tuple[TaskName, ...] = ("next_item", "relevance")
OPTIONAL = ("lstm", "bert4rec", "cloze", "relevance", "negatives")  # tables, by model and task


def check_cell(model: str, task: str) -> None:
    """Raises ConfigError for an unknown model or task, with the nearest name."""
    if model not in MODELS:
        raise unknown_value("model", model, MODELS)
    if task not in TASKS:
        raise unknown_value("task", task, TASKS)


def tables_of(model: str, task: str, loss: str, head: str | None) -> set[str]:
    """The optional tables that a cell reads; `head` is BERT4Rec's of relevance."""
    tables = {model}
    if task == "relevance":
        tables.add("negatives")
        if model == "bert4rec" and head != "last":
            tables.add("relevance")
    else:
        if model == "bert4rec":
            tables.add("cloze")
        if loss != "ce":
            tables.add("negatives")
    return tables


def refuse_foreign(
    given: Collection[str], model: str, task: str, loss: str, head: str | None
) -> None:
    """Raises ConfigError for an optional table that the cell does not read."""
    for table in OPTIONAL:
        if table in given and table not in tables_of(model, task, loss, head):
            by_head = table == "relevance" == task and head is not None
            why = f"loss {loss!r}" + (f" and relevance_head {head!r}" if by_head else "")
            raise ConfigError(
                f"table [{table}] has no meaning for {model} on {task} with {why}: leave it out"
            )
