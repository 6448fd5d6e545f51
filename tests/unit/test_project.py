"""What must hold of the project's own files, whatever they compute."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import seqrec

ROOT = Path(__file__).parents[2]
CODE = {".py", ".pyi", ".rs"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.save", "os.system", "os.popen"}
# Written in two halves, so that this file passes its own test.
MACHINE_PATHS = re.compile("|".join("/" + name for name in ("work/", "root/", "home/", "Users/")))
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "--" + "index", ":/" + "/"))
)


def toml(name):
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def tracked():
    """The files of the repository; a source archive has no tests, so git is to be had here."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout: its tracked files are not known")
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in said.stdout.splitlines() if (ROOT / line).is_file()]


def package_trees():
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "python").rglob("*.py"))
    }


def place(path, node):
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def requirements():
    return [Requirement(text) for text in toml("pyproject.toml")["project"]["dependencies"]]


def extras():
    groups = toml("pyproject.toml")["project"]["optional-dependencies"]
    return [Requirement(text) for group in groups.values() for text in group]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


# --- nothing that can run code from a file (D08) -------------------------------------------------


def test_no_module_that_runs_code_from_data_is_imported():
    found = []
    for path, tree in package_trees().items():
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] in UNSAFE_MODULES for name in names):
                found.append(place(path, node))
    assert found == []


def test_nothing_evaluates_text_or_unpickles():
    found = []
    for path, tree in package_trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            unsafe = {"shell": True, "allow_pickle": True, "weights_only": False}
            given = {
                keyword.arg: keyword.value.value
                for keyword in node.keywords
                if isinstance(keyword.value, ast.Constant)
            }
            if ast.unparse(node.func) in UNSAFE_CALLS or any(
                given.get(name) is value for name, value in unsafe.items()
            ):
                found.append(place(path, node))
    assert found == []


# --- configuration: no field that nobody reads ---------------------------------------------------


def configs():
    """The fields of every config class of the package: (module, class, field)."""
    found = set()
    for module in walk_packages(seqrec.__path__, "seqrec."):
        if module.name == "seqrec._core":
            continue
        for value in vars(import_module(module.name)).values():
            if isinstance(value, type) and value.__name__.endswith("Config"):
                found.update((value.__module__, value.__name__, f) for f in value.__annotations__)
    return sorted(found)


def fields_read():
    """Attributes read anywhere but in a `__post_init__`, which only checks them."""
    read = set()
    for tree in package_trees().values():
        checks = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == "__post_init__"
            for inner in ast.walk(node)
        }
        read.update(
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and node not in checks
        )
    return read


def test_every_option_is_read_by_some_code():
    options = configs()
    assert len({name for _, name, _ in options}) >= 10, "the config classes were not found"
    read = fields_read()
    unread = [f"{name}.{field}" for _, name, field in options if field not in read]
    assert unread == []


# --- builds (F14) and versions (G20) -------------------------------------------------------------


def test_a_panic_unwinds_in_every_profile():
    profiles = toml("Cargo.toml")["profile"]
    assert profiles["release"]["panic"] == "unwind"
    assert all(profile.get("panic", "unwind") == "unwind" for profile in profiles.values())


def test_integers_are_checked_for_overflow_in_every_profile():
    profiles = toml("Cargo.toml")["profile"]
    assert profiles["release"]["overflow-checks"] is True
    assert all(profile.get("overflow-checks", True) for profile in profiles.values())


def test_no_crate_may_hold_unsafe_code():
    workspace = toml("Cargo.toml")
    assert workspace["workspace"]["lints"]["rust"]["unsafe_code"] == "forbid"
    for member in workspace["workspace"]["members"]:
        lints = toml(f"{member}/Cargo.toml")["lints"]
        assert lints.get("workspace") or lints["rust"]["unsafe_code"] == "forbid", member


@pytest.mark.parametrize(("crate", "floor"), [("pyo3", "0.29"), ("numpy", "0.29")])
def test_the_locked_binding_is_recent_enough(crate, floor):
    locked = [p["version"] for p in toml("Cargo.lock")["package"] if p["name"] == crate]
    assert locked
    assert all(Version(version) >= Version(floor) for version in locked)


def test_torch_is_recent_enough():
    (torch,) = (r for r in requirements() if r.name == "torch")
    (floor,) = (s.version for s in torch.specifier if s.operator == ">=")
    assert Version(floor) >= Version("2.10")


@pytest.mark.parametrize("requirement", requirements() + extras(), ids=str)
def test_a_dependency_has_both_bounds(requirement):
    operators = {specifier.operator for specifier in requirement.specifier}
    assert ">=" in operators
    assert "<" in operators


@pytest.mark.parametrize("requirement", requirements() + extras(), ids=str)
def test_a_dependency_is_pinned_within_its_bounds(requirement):
    assert requirement.specifier.contains(pins()[requirement.name])


def test_the_pins_name_no_host():
    assert not REGISTRIES.search((ROOT / "constraints.txt").read_text(encoding="utf-8"))


def test_one_python_floor_is_meant_everywhere():
    project = toml("pyproject.toml")
    floor = project["project"]["requires-python"].removeprefix(">=")
    digits = floor.replace(".", "")
    assert project["tool"]["ruff"]["target-version"] == f"py{digits}"
    assert project["tool"]["pyright"]["pythonVersion"] == floor
    assert project["tool"]["mypy"]["python_version"] == floor
    pyo3 = toml("Cargo.toml")["workspace"]["dependencies"]["pyo3"]
    assert f"abi3-py{digits}" in pyo3["features"]
    assert f"Python >= {floor}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_one_rust_floor_is_meant_everywhere():
    floor = toml("Cargo.toml")["workspace"]["package"]["rust-version"]
    assert f"Rust >= {floor}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_version_is_said_once():
    assert "version" in toml("pyproject.toml")["project"]["dynamic"]
    for member in toml("Cargo.toml")["workspace"]["members"]:
        assert toml(f"{member}/Cargo.toml")["package"]["version"] == {"workspace": True}


# --- files ---------------------------------------------------------------------------------------


def test_no_file_names_a_path_of_some_machine():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert found == []


def test_no_file_of_code_is_longer_than_400_lines():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked()
        if path.suffix in CODE
    }
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_no_function_of_the_package_is_longer_than_60_lines():
    long = [
        place(path, node)
        for path, tree in package_trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno >= 60
    ]
    assert long == []


def test_no_file_is_data_or_a_build_product():
    wrong = {".parquet", ".so", ".pyd", ".whl", ".pkl", ".pt", ".pth", ".npy", ".safetensors"}
    assert [str(path) for path in tracked() if path.suffix in wrong] == []
