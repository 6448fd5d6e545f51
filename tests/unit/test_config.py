from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from seqrec import config
from seqrec.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    lr: float = 1e-3
    steps: int = 10
    schedule: Literal["cosine", "constant"] = "cosine"

    def __post_init__(self) -> None:
        config.check(self.lr >= 0, "training.lr", self.lr, "zero or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str = "x"
    ks: tuple[int, ...] = (10,)
    stride: int | None = None
    training: Inner = field(default_factory=Inner)


def test_values_are_read_into_the_tree():
    read = config.read(Outer, {"name": "y", "ks": [1, 5], "training": {"lr": 1, "steps": 3}})
    assert read == Outer(name="y", ks=(1, 5), training=Inner(lr=1.0, steps=3))


def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"unknown option `training\.stepz`: did you mean `steps`"
    ):
        config.read(Outer, {"training": {"stepz": 3}})


def test_a_key_that_is_no_text_is_unknown():
    with pytest.raises(ConfigError, match="unknown option `1`: known: ks, name, stride, training"):
        config.read(Outer, {1: 2})


def test_an_option_of_a_table_is_told_by_its_whole_name():
    with pytest.raises(
        ConfigError, match=r"unknown option `steps`: did you mean `training\.steps`\?"
    ):
        config.read(Outer, {"steps": 3})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"name": 3}, "`name` is 3: it must be of type str"),
        ({"training": {"steps": 1.5}}, "`training.steps` is 1.5"),
        ({"training": {"steps": True}}, "`training.steps` is True"),
        ({"training": {"schedule": "linear"}}, "one of"),
        ({"training": {"lr": -1.0}}, "zero or more"),
        ({"training": 3}, "must be a table"),
        ({"ks": ["a"]}, r"`ks\[0\]` is 'a'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(table, said):
    with pytest.raises(ConfigError, match=said):
        config.read(Outer, table)


def test_assignments_are_toml_values_or_bare_words():
    tables = config.parse_assignments(["training.lr=3e-4", "name=hello", "ks=[1, 2]", "name2='q'"])
    assert tables == {"training": {"lr": 3e-4}, "name": "hello", "ks": [1, 2], "name2": "q"}


def test_an_assignment_without_a_value_is_refused():
    with pytest.raises(ConfigError, match="is no assignment"):
        config.parse_assignments(["training.lr"])


def test_later_layers_win_and_their_origin_is_recorded():
    recipe, flags = {"training": {"lr": 1.0, "steps": 2}}, {"training": {"lr": 2.0}}
    assert config.merge(recipe, flags) == {"training": {"lr": 2.0, "steps": 2}}
    assert config.origins({"recipe": recipe, "--set": flags}) == {
        "training.lr": "--set",
        "training.steps": "recipe",
    }


def test_tables_written_as_toml_are_read_as_they_were(tmp_path):
    tables = {
        "model": "lstm",
        "name": 'a "quoted" word, größer',
        "lstm": {"hidden_size": 8, "layer_norm": False},
        "training": {"lr": 1e-05, "betas": [0.9, 0.98]},
    }
    path = tmp_path / "tables.toml"
    path.write_text(config.toml_tables(tables), encoding="utf-8")
    assert config.read_toml(path) == tables


def test_a_mark_of_the_encoding_is_no_part_of_the_tables(tmp_path):
    (tmp_path / "marked.toml").write_text("a = 1", encoding="utf-8-sig")
    assert config.read_toml(tmp_path / "marked.toml") == {"a": 1}


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        config.read_toml(path)


def test_equal_configs_have_equal_digests():
    assert config.digest(Outer()) == config.digest(Outer())
    assert config.digest(Outer()) != config.digest(Outer(name="z"))


def test_a_value_where_a_table_belongs_is_not_lost():
    with pytest.raises(ConfigError, match="option `windows` is 16: it must be a table"):
        config.merge({"windows": 16}, {"windows": {}})


def test_an_integer_too_large_for_a_float_is_named():
    with pytest.raises(ConfigError, match=r"`training\.lr` is 1000+: it must be at most 1\.79"):
        config.read(Outer, {"training": {"lr": 10**400}})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_of_more_than_64_bits_is_named(value):
    with pytest.raises(ConfigError, match=rf"`training\.steps` is {value}: .* of 64 bits"):
        config.read(Outer, {"training": {"steps": value}})
