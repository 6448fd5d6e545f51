"""What a search may vary: tables as a recipe has them, whose leaves are ranges or choices.

    [training]
    lr = {low = 3e-4, high = 3e-3, log = true}

    [lstm]
    num_layers = {low = 1, high = 3}
    hidden_size = {choices = [128, 256, 512]}

Every bound and every choice has to be a value that the run's config takes, beside the other values
that the search starts from; so the errors are those of a recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from seqrec import config as configs
from seqrec.errors import ConfigError
from seqrec.experiment import RunConfig, check_cell, resolve

DIGITS = 4  # significant digits of a real number: what runs is what the recipe says
_LENGTH = "it is the budget of a trial, the same for all"
_NOTHING = "it changes no result"
_RULES = "all trials are judged by the same rules"
_FIXED: Mapping[str, str] = {
    "training.epochs": _LENGTH,
    "training.max_minutes": _LENGTH,
    "training.max_steps": _LENGTH,
    "training.eval_every": _RULES,
    "training.monitor": _RULES,
    "training.seed": "the best seed is luck",
    "training.device": _NOTHING,
    "training.threads": _NOTHING,
    "training.progress": _NOTHING,
    "training.tensorboard": _NOTHING,
    "training.log_every": _NOTHING,
    "training.save_every_steps": _NOTHING,
}
Layers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The numbers from `low` to `high`, both included.

    Attributes:
        low: the smallest; integers where the option is one.
        high: the largest.
        log: whether equal ratios are equally likely, instead of equal differences.
        step: only every so many, counted from `low`.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether the value is one of the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        return self.step is None or _is_multiple(value - self.low, self.step)


@dataclass(frozen=True, slots=True)
class Choices:
    """A few values, in no order."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether the value is one of them."""
        return configs.as_json(value) in self.values


Dimension = Range | Choices


@dataclass(frozen=True, slots=True)
class Space:
    """Full path of an option (`training.lr`) -> what it may be."""

    dimensions: Mapping[str, Dimension]

    def tables(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by full path as the tables of a recipe."""
        tables: dict[str, Any] = {}
        for path, value in values.items():
            tables = configs.merge(tables, _nested(path, value))
        return tables

    def start(self, run_config: RunConfig) -> dict[str, Any]:
        """The values of a config, where the space holds them."""
        values = {path: _value(run_config, path) for path in self.dimensions}
        return {path: v for path, v in values.items() if self.dimensions[path].holds(v)}

    def outside(self, run_config: RunConfig) -> dict[str, Any]:
        """The values of a config that the space does not hold: no trial has them."""
        held = self.start(run_config)
        others = {path: _value(run_config, path) for path in self.dimensions if path not in held}
        return {path: value for path, value in others.items() if value is not None}

    def kept(self, run_config: RunConfig) -> dict[str, Any]:
        """Tables of what a config's trials share, though defaults would look at values or machines.

        The precision; and BERT4Rec's windows and the length of a run (`data_defaults`): where
        windows are searched, those by prefixes would be a shorter run, as would some heads be
        where these are; where windows are not, a cloze of a trial's own would have them at random.
        """
        training, windows = run_config.training, run_config.windows
        kept = _nested("training.precision", training.precision)
        if {"windows.windows", "bert4rec.relevance_head"} & self.dimensions.keys():
            return configs.merge(kept, _nested("training.epochs", training.epochs))
        if any(path.startswith("cloze.") for path in self.dimensions):
            return configs.merge(kept, _nested("windows.windows", windows.windows))
        return kept


def default_space(model: str, task: str) -> str:
    """The space of a cell for who names none, as the text of a TOML file.

    Raises:
        ConfigError: for an unknown model or task, with the nearest name.
    """
    check_cell(model, task)
    return (files("seqrec.tuning") / "spaces" / f"{model}-{task}.toml").read_text(encoding="utf-8")


def read_space(tables: Mapping[str, Any], layers: Layers) -> Space:
    """The space of tables, checked against the config that the search starts from.

    Args:
        tables: as TOML gives them.
        layers: of that config; later ones win.

    Raises:
        ConfigError: for an option that does not exist, does not fit the cell or is no
            hyper-parameter, a leaf that is no range and no choices, or a value out of range.
    """
    dimensions: dict[str, Dimension] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"space: `{name}` is {table!r}: a space has tables, as [training]; "
                "model and task are those of the recipe or the flags"
            )
        for option, leaf in table.items():
            path = f"{name}.{option}"
            dimensions[path] = _checked(path, _dimension(path, leaf), layers)
    if not dimensions:
        raise ConfigError("the space is empty: give it a range or choices, as [training] lr")
    return Space(dimensions)


def _dimension(path: str, leaf: Any) -> Dimension:
    if isinstance(leaf, Mapping) and "choices" in leaf:
        _refuse_unknown(path, leaf, ("choices",))
        return _choices(path, leaf["choices"])
    if isinstance(leaf, Mapping) and {"low", "high"} <= leaf.keys():
        _refuse_unknown(path, leaf, ("low", "high", "log", "step"))
        return _range(path, leaf)
    raise ConfigError(
        f"space: `{path}` is {leaf!r}: write {{low = ..., high = ...}} or {{choices = [...]}}; "
        "a fixed value belongs into the recipe or --set"
    )


def _refuse_unknown(path: str, leaf: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in leaf:
        if key not in known:
            raise configs.unknown_key(f"{path}.{key}", key, known)


def _choices(path: str, values: Any) -> Choices:
    enough = isinstance(values, list) and len(values) >= 2
    configs.check(enough, f"{path}.choices", values, "a list of at least two values")
    for i, value in enumerate(values):
        once = value not in values[:i]
        configs.check(once, f"{path}.choices[{i}]", value, "different from those before it")
    return Choices(tuple(values))


def _range(path: str, leaf: Mapping[str, Any]) -> Range:
    for key in ("low", "high", "step"):
        value = leaf.get(key, 1)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        configs.check(number, f"{path}.{key}", value, "a number")
    found = configs.read(Range, {"log": False, **leaf}, f"{path}.")
    low, high, step = leaf["low"], leaf["high"], leaf.get("step")
    configs.check(low < high, f"{path}.high", high, f"above low, which is {low}")
    if found.log:
        configs.check(low > 0, f"{path}.low", low, "above 0 where log = true")
        configs.check(step is None, f"{path}.step", step, "left out where log = true")
    if step is not None:
        fits = step > 0 and _is_multiple(high - low, step)
        configs.check(fits, f"{path}.step", step, f"a divisor of high - low, which is {high - low}")
    return Range(low=low, high=high, log=found.log, step=step)


def _checked(path: str, dimension: Dimension, layers: Layers) -> Dimension:
    """The dimension, with real bounds where the option is a real number."""
    ends = dimension.values if isinstance(dimension, Choices) else (dimension.low, dimension.high)
    try:
        resolved = [resolve({**layers, "space": _nested(path, value)})[0] for value in ends]
    except ConfigError as error:
        raise ConfigError(f"space: {error}") from None
    _refuse_fixed(path, resolved[0])
    if isinstance(dimension, Choices):
        return dimension
    if not isinstance(_value(resolved[0], path), float):
        whole = dimension.step is None or isinstance(dimension.step, int)
        configs.check(whole, f"{path}.step", dimension.step, "an integer, as the option is one")
        return dimension
    step = None if dimension.step is None else float(dimension.step)
    return Range(low=float(dimension.low), high=float(dimension.high), log=dimension.log, step=step)


def _refuse_fixed(path: str, run_config: RunConfig) -> None:
    why = _RULES if path.startswith("evaluation.") else _FIXED.get(path)
    if path == "negatives.neg_sampling" and run_config.task == "relevance":
        why = _RULES
    if why is not None:
        raise ConfigError(f"space: `{path}` is no hyper-parameter: {why}; leave it out")


def _nested(path: str, value: Any) -> dict[str, Any]:
    table, option = path.split(".", 1)
    return {table: {option: value}}


def _value(run_config: RunConfig, path: str) -> Any:
    """The value of an option; None where the config has no such table, or it is not set."""
    table, option = path.split(".", 1)
    return getattr(getattr(run_config, table), option, None)


def _is_multiple(value: float, step: float) -> bool:
    return abs(value / step - round(value / step)) < 1e-9
