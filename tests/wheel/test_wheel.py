"""What is in the wheel, and that it works where there is no Rust and no source."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from seqrec.data import Dataset

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)  # the first test waits for a compiler


@pytest.fixture(scope="module")
def content(wheel):
    """Every file of the wheel: name -> bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(content):
    (name,) = (name for name in content if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(content[name].decode())


def in_dist_info(content, part):
    return [name for name in content if re.fullmatch(rf"seqrec-[^/]+\.dist-info/{part}", name)]


# --- content -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="manylinux is a tag of Linux")
def test_one_wheel_serves_every_python_and_old_systems(wheel):
    assert re.search(r"-cp311-abi3-manylinux2014_\w+\.manylinux_2_17_\w+\.whl$", wheel.name)


def test_it_holds_every_file_of_the_package_and_nothing_else(content):
    files = {
        f"seqrec/{path.relative_to(ROOT / 'python/seqrec').as_posix()}"
        for path in (ROOT / "python/seqrec").rglob("*")
        if path.suffix in {".py", ".pyi", ".toml"} or path.name == "py.typed"
    }
    outside = {name for name in content if ".dist-info/" not in name}
    assert outside - files == {"seqrec/_core.abi3.so"}
    assert files - outside == set()


def test_it_is_typed(content):
    assert "seqrec/py.typed" in content
    assert "seqrec/_core.pyi" in content


def test_its_licence_is_inside(content, metadata):
    (name,) = in_dist_info(content, "licenses/LICENSE")
    assert content[name] == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "MIT"


def test_its_metadata_holds_little_else_than_metadata(content):
    known = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    (sbom,) = in_dist_info(content, r"sboms/.*\.cyclonedx\.json")
    inside = {name.split(".dist-info/")[1] for name in content if ".dist-info/" in name}
    assert inside == known | {sbom.split(".dist-info/")[1]}


def test_its_version_is_that_of_the_workspace(metadata):
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert metadata["Version"] == cargo["workspace"]["package"]["version"]


def test_its_bill_of_materials_matches_the_lock(content):
    """Every crate inside is named in the SBOM with the version that Cargo.lock pins."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    locked = {(package["name"], package["version"]) for package in lock["package"]}
    (name,) = in_dist_info(content, r"sboms/.*\.cyclonedx\.json")
    listed = {(c["name"], c["version"]) for c in json.loads(content[name])["components"]}
    assert listed <= locked
    assert {"seqrec-core", "pyo3", "numpy", "rayon"} <= {name for name, _ in listed}


def test_it_names_no_folder_of_the_building_machine(content):
    """All but the bill of materials, whose references are the paths of local crates."""
    places = [str(ROOT).encode() + b"/", str(Path.home()).encode() + b"/"]
    found = [
        name
        for name, data in content.items()
        if "/sboms/" not in name and any(place in data for place in places)
    ]
    assert found == []


# --- use -----------------------------------------------------------------------------------------


@pytest.fixture
def stranger(clean, tmp_path):
    """Runs the installed command line from a folder of its own, with no Rust on PATH."""
    path = os.pathsep.join([str(clean / "bin"), "/usr/bin", "/bin"])
    assert shutil.which("cargo", path=path) is None, "Rust lies in a folder of the system"

    def call(*arguments):
        done = subprocess.run(
            list(arguments), cwd=tmp_path, env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def test_the_installed_package_is_not_the_source(stranger):
    assert str(ROOT) not in stranger("python", "-c", "import seqrec; print(seqrec.__file__)")


def test_the_installed_command_helps(stranger):
    assert "prepare" in stranger("seqrec", "--help")


def test_the_installed_doctor_finds_a_working_extension(stranger):
    assert re.search(r"^extension +works$", stranger("seqrec", "doctor"), re.MULTILINE)


def test_the_installed_command_prepares_a_log(stranger, tmp_path):
    rows = [f"u{user},i{(user + step) % 4},{step}" for user in range(5) for step in range(4)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    stranger("seqrec", "prepare", "log.csv", "--out", "data")
    assert Dataset.load(tmp_path / "data").audit["users"] == 5
