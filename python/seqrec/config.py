"""Configuration: a tree of frozen dataclasses, read strictly from TOML and `key=value` flags.

Each config class lives beside the code that it configures; this file only knows how to read one.
An unknown key, a wrong type or a value out of range is an error that names the full path of the
key and what would be allowed. Nothing is coerced but an integer where a float is wanted.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from seqrec.errors import ConfigError

T = TypeVar("T")


def read(cls: type[T], table: Mapping[str, Any], path: str = "") -> T:
    """The config `cls` with the values of `table`; missing keys keep their defaults.

    Raises:
        ConfigError: for an unknown key (with the nearest known one), a value of the wrong type or a
            value that the class refuses; the message carries the full path of the key.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in table:
        if key not in names:
            raise unknown_key(f"{path}{key}", str(key), _places(key, hints) or names)
    values = {key: _typed(hints[key], value, f"{path}{key}") for key, value in table.items()}
    try:
        found = cls(**values)
    except TypeError as error:
        raise ConfigError(f"{path or 'config'}: {error}") from None
    for key, value in values.items():  # whatever the class lets pass
        if isinstance(value, int):
            check(-(2**63) <= value < 2**63, f"{path}{key}", value, "an integer of 64 bits")
    return found


def _places(key: str, hints: Mapping[str, Any]) -> list[str]:
    """Where a key stands in the tables inside a config: `training.lr` for `lr`."""
    found = []
    for name, hint in hints.items():
        for part in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(part) and key in {f.name for f in dataclasses.fields(part)}:
                found.append(f"{name}.{key}")
    return found


def unknown_key(path: str, key: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that nobody reads, with the nearest name."""
    return ConfigError(f"unknown option `{path}`: {_nearest(key, known)}")


def unknown_value(name: str, value: object, known: Iterable[str]) -> ConfigError:
    """The error for a value that is none of the names an option takes, with the nearest one."""
    return ConfigError(f"option `{name}` is {value!r}: {_nearest(str(value).lower(), known)}")


def _nearest(word: str, known: Iterable[str]) -> str:
    """The known names that end in a word, or the one most like it; all of them where none is."""
    known = sorted(known)
    near = [name for name in known if name.endswith(f".{word}")]
    near = near or difflib.get_close_matches(word, known, n=1)
    if not near:
        return f"known: {', '.join(known)}"
    return f"did you mean {', '.join(f'`{name}`' for name in near)}?"


def check(allowed: bool, name: str, value: object, rule: str) -> None:
    """Raises ConfigError unless `allowed`: for the `__post_init__` of a config class."""
    if not allowed:
        raise ConfigError(f"option `{name}` is {value!r}: it must be {rule}")


def to_dict(config: Any) -> dict[str, Any]:
    """The whole tree as plain values, leaving out tables that are None."""
    return {key: value for key, value in dataclasses.asdict(config).items() if value is not None}


def digest(config: Any) -> str:
    """SHA-256 of the whole tree, the same for equal configs."""
    text = json.dumps(to_dict(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def as_json(value: Any) -> Any:
    """The value as JSON gives it back: tuples become lists, keys become text."""
    return json.loads(json.dumps(value, default=str))


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two nested tables of plain values, as `a.b was 1 and is 2`."""
    before, after = _flat(then), _flat(as_json(now))
    return [
        f"{name} was {before.get(name)!r} and is {after.get(name)!r}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: if the file cannot be read or is no TOML; names the file and the place.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors put a mark first
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def toml_value(value: Any) -> str:
    """A plain value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(part) for part in value)}]"
    return repr(value)


def toml_tables(tables: Mapping[str, Any]) -> str:
    """Values, then tables of values, as the text of a TOML file; empty tables are left out."""
    lines = [f"{k} = {toml_value(v)}" for k, v in tables.items() if not isinstance(v, Mapping)]
    for name, table in tables.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{name}]", *(f"{k} = {toml_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Tables from `a.b=value` flags; the value is TOML, or a bare word taken as text."""
    tables: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"`{assignment}` is no assignment: write key=value, as training.lr=1e-3"
            )
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *parents, leaf = key.strip().split(".")
        table = tables
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                raise ConfigError(f"`{assignment}`: `{parent}` was given a value before")
        table[leaf] = value
    return tables


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables laid over each other; a later layer wins.

    Raises:
        ConfigError: for a value where a later layer has a table: it would be lost without a word.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                below = merged.get(key, {})
                check(isinstance(below, Mapping), key, below, "a table")
                merged[key] = merge(below, value)
            else:
                merged[key] = value
    return merged


def origins(layers: Mapping[str, Mapping[str, Any]], prefix: str = "") -> dict[str, str]:
    """Where each value came from: full path of the key -> name of the last layer that set it."""
    found: dict[str, str] = {}
    for name, layer in layers.items():
        for key, value in layer.items():
            path = f"{prefix}{key}"
            if isinstance(value, Mapping):
                found.update(origins({name: value}, f"{path}."))
            else:
                found[path] = name
    return found


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _typed(hint: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
        if value is None and len(choices) < len(typing.get_args(hint)):
            return None
        return _typed(choices[0], value, path)
    if origin is typing.Literal:
        check(value in typing.get_args(hint), path, value, f"one of {typing.get_args(hint)}")
        return value
    if origin is tuple:
        check(isinstance(value, list | tuple), path, value, "a list")
        return tuple(
            _typed(typing.get_args(hint)[0], v, f"{path}[{i}]") for i, v in enumerate(value)
        )
    if dataclasses.is_dataclass(hint):
        check(isinstance(value, Mapping), path, value, "a table")
        return read(typing.cast(type, hint), value, f"{path}.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        check(abs(value) <= sys.float_info.max, path, value, f"at most {sys.float_info.max}")
        return float(value)
    right = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    check(right, path, value, f"of type {hint.__name__}")
    return value
