import os

import pytest

from seqrec.data.folder import (
    check_files,
    read_json,
    read_manifest,
    whole_folder,
    write_json,
)
from seqrec.errors import DataError, ResourceError


def write(folder, text="x", *, kind="thing", overwrite=False):
    with whole_folder(folder, kind=kind, version=1, overwrite=overwrite) as aside:
        (aside / "a.txt").write_text(text)


def test_a_folder_appears_whole(tmp_path):
    folder = tmp_path / "deep" / "down"
    with whole_folder(folder, kind="thing", version=1) as aside:
        (aside / "a.txt").write_text("x")
        assert not folder.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "manifest.json"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), whole_folder(tmp_path / "a", kind="thing", version=1):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_older_folder(tmp_path):
    write(tmp_path / "a", "old")
    with (
        pytest.raises(KeyError),
        whole_folder(tmp_path / "a", kind="thing", version=1, overwrite=True),
    ):
        raise KeyError
    assert (tmp_path / "a" / "a.txt").read_text() == "old"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a")
    assert (tmp_path / "a" / "a.txt").exists()


@pytest.mark.parametrize("manifest", [None, '{"kind": "other"}', "[]"])
def test_a_folder_of_something_else_is_never_deleted(tmp_path, manifest):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "letters.txt").write_text("dear")
    if manifest is not None:
        (tmp_path / "a" / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match="is not replaced"):
        write(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a" / "letters.txt").read_text() == "dear"


def test_a_file_in_the_place_is_refused(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(DataError, match="is no folder"):
        write(tmp_path / "a", overwrite=True)


def test_a_disk_that_refuses_is_named(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=r"cannot write .*/a: No space left"):
        write(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_files_are_durable_before_the_name_appears(tmp_path, monkeypatch):
    seen: list[bool] = []
    fsync = os.fsync

    def watching(descriptor: int) -> None:
        seen.append((tmp_path / "a").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watching)
    write(tmp_path / "a")
    assert seen == [False, False, False, True]  # a.txt, manifest, folder; then the parent


def test_a_folder_of_another_kind_is_named(tmp_path):
    write(tmp_path / "a", kind="model")
    with pytest.raises(DataError, match="the folder holds 'model', not 'thing'"):
        read_manifest(tmp_path / "a", kind="thing", version=1)


def test_an_unlisted_path_is_never_followed(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "secret").write_text("x")
    manifest = read_manifest(tmp_path / "a", kind="thing", version=1)
    manifest["files"]["../secret"] = manifest["files"]["a.txt"]
    with pytest.raises(DataError, match="secret is missing"):
        check_files(tmp_path / "a", manifest)


def test_digests_can_be_left_unread(tmp_path):
    write(tmp_path / "a", "x")
    (tmp_path / "a" / "a.txt").write_text("y")
    manifest = read_manifest(tmp_path / "a", kind="thing", version=1)
    check_files(tmp_path / "a", manifest, verify=False)
    with pytest.raises(DataError, match="is damaged"):
        check_files(tmp_path / "a", manifest, verify=True)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_what_is_no_json_is_named(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.json is no JSON"):
        read_json(tmp_path / "a.json")


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
