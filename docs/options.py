"""The tables of docs/options.md, from the config classes: each option, its default, what it is.

python docs/options.py
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from pathlib import Path
from typing import Any

from seqrec.config import toml_value
from seqrec.experiment import MODELS, TASKS, RunConfig, resolve

PAGE = Path(__file__).with_suffix(".md")
CELLS = [(model, task) for model in MODELS for task in TASKS]
BEGIN, END = "<!-- options: begin -->", "<!-- options: end -->"


def page(text: str) -> str:
    """The text of the page with the tables between its markers."""
    tables = [name for name, hint in _hints(RunConfig).items() if _config_class(hint)]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return "\n\n".join([before + BEGIN, *map(section, tables), END + after])


def section(table: str) -> str:
    """A table of the config: who has it, and a row for each option."""
    options = _config_class(_hints(RunConfig)[table])
    assert options is not None
    runs = {cell: getattr(_defaults(*cell), table) for cell in CELLS}
    found = {cell: run for cell, run in runs.items() if run is not None}
    who = "" if len(found) == len(CELLS) else f" Only for {_names(list(found))}."
    texts = attributes(options)
    rows = [
        f"| `{field.name}` | {_default(field, found)} | {texts[field.name]} |"
        for field in dataclasses.fields(options)
    ]
    summary = (inspect.getdoc(options) or "").splitlines()[0]
    header = ["| option | default | what it is |", "|---|---|---|"]
    return "\n".join([f"## [{table}]", "", f"{summary}{who}", "", *header, *rows])


def attributes(options: type) -> dict[str, str]:
    """What the docstring of a class says of each attribute, as the text of a cell."""
    _, _, listed = (inspect.getdoc(options) or "").partition("\nAttributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()).replace("|", r"\|") for name, text in entries}


def _default(field: dataclasses.Field[Any], runs: dict[tuple[str, str], Any]) -> str:
    """What most cells have (the class decides a tie), and then what the others have."""
    values: dict[str, list[tuple[str, str]]] = {}
    for cell, run in runs.items():
        values.setdefault(_shown(getattr(run, field.name)), []).append(cell)
    usual = max(values, key=lambda value: (len(values[value]), value == _shown(field.default)))
    others = [f"; {value} for {_names(who)}" for value, who in values.items() if value != usual]
    return usual + "".join(others)


def _shown(value: Any) -> str:
    return "not set" if value is None else f"`{toml_value(value)}`"


def _names(cells: list[tuple[str, str]]) -> str:
    """Cells in words: a model or a task alone where all of its cells are meant."""
    for place, all_names in ((0, MODELS), (1, TASKS)):
        for name in all_names:
            if cells == [cell for cell in CELLS if cell[place] == name]:
                return name
    return " and ".join(f"{model} on {task}" for model, task in cells)


def _defaults(model: str, task: str) -> RunConfig:
    return resolve({"cell": {"model": model, "task": task}})[0]


def _hints(options: type) -> dict[str, Any]:
    return typing.get_type_hints(options)


def _config_class(hint: Any) -> type | None:
    """The config class of a table, which may be optional; None for a plain value."""
    choices = [hint, *typing.get_args(hint)]
    return next((choice for choice in choices if dataclasses.is_dataclass(choice)), None)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
