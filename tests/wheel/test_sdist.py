"""What is in the source archive, and that it builds on its own from the locked crates."""

from __future__ import annotations

import tarfile
import zipfile

import pytest

pytestmark = pytest.mark.timeout(600)  # the first test waits for a compiler


@pytest.fixture(scope="module")
def members(sdist):
    """Every file of the archive, below its one folder."""
    with tarfile.open(sdist) as archive:
        return {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}


def test_it_holds_sources_lock_and_licence_alone(members):
    roots = {name.split("/")[0] for name in members}
    assert roots == {
        "Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml",
        "python", "rust",
    }  # fmt: skip


def test_it_holds_no_build_product(members):
    assert not [name for name in members if name.endswith((".so", ".pyc", ".parquet", ".npy"))]


def test_pip_builds_the_same_package_from_it(sdist_wheel, wheel):
    def package(path):
        with zipfile.ZipFile(path) as archive:
            return {n: archive.read(n) for n in archive.namelist() if n.endswith((".py", ".pyi"))}

    assert package(sdist_wheel) == package(wheel)


def test_the_package_built_from_it_holds_the_extension(sdist_wheel):
    with zipfile.ZipFile(sdist_wheel) as archive:
        assert "seqrec/_core.abi3.so" in archive.namelist()
