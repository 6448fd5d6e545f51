"""An artifact is loaded whole and as it was written, or refused by name; never in part."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

from seqrec.errors import CheckpointError, ResourceError
from seqrec.training.artifact import Artifact, check_state, load_artifact, save_artifact

OLD = {"model": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}}
NEW = {"model": {"a": torch.zeros(2, 3)}}
DOCUMENTS = {"config": {"lr": 0.1, "names": ["x", "é"]}}


@pytest.fixture
def folder(tmp_path) -> Path:
    save_artifact(tmp_path / "saved", OLD, DOCUMENTS)
    return tmp_path / "saved"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_old(folder: Path) -> None:
    saved = load_artifact(folder)
    assert saved.documents == DOCUMENTS
    assert all(torch.equal(saved.tensors["model"][name], OLD["model"][name]) for name in "ab")
    assert names_in(folder.parent) == [folder.name]  # nothing is left beside it


def edit_manifest(folder: Path, change) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_artifact_comes_back_as_it_was_saved(folder):
    assert_old(folder)


def test_files_have_the_mode_of_any_new_file(folder, tmp_path):
    (tmp_path / "other").touch()
    mode = (tmp_path / "other").stat().st_mode
    assert {path.name: path.stat().st_mode for path in folder.iterdir()} == dict.fromkeys(
        names_in(folder), mode
    )


def test_new_artifact_replaces_the_old(folder):
    save_artifact(folder, NEW, {})
    saved = load_artifact(folder)
    assert (list(saved.tensors["model"]), saved.documents) == (["a"], {})
    assert names_in(folder.parent) == ["saved"]


def test_tied_tensors_are_both_saved(tmp_path):
    tied = torch.ones(3)
    save_artifact(tmp_path / "a", {"model": {"in": tied, "out": tied}}, {})
    saved = load_artifact(tmp_path / "a").tensors["model"]
    assert torch.equal(saved["in"], tied)
    assert torch.equal(saved["out"], tied)


def test_same_content_gives_the_same_bytes(tmp_path):
    for name in "ab":
        save_artifact(tmp_path / name, OLD, DOCUMENTS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_link_to_an_artifact_is_followed(folder):
    (folder.parent / "link").symlink_to(folder)
    save_artifact(folder.parent / "link", NEW, {})
    assert (folder.parent / "link").is_symlink()
    assert list(load_artifact(folder).tensors["model"]) == ["a"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_file_cut_anywhere_is_refused(folder, name):
    whole = (folder / name).read_bytes()
    for size in range(len(whole)):
        (folder / name).write_bytes(whole[:size])
        if name == "manifest.json" and not whole[size:].strip():
            continue  # only the last line break is gone
        with pytest.raises(CheckpointError, match=name):
            load_artifact(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_flipped_bit_anywhere_is_refused(folder, name):
    whole = (folder / name).read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=str(folder)):
            load_artifact(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load_artifact(folder)


@pytest.mark.parametrize("name", ["extra.json", "extra.safetensors", "evil.pkl", "sub"])
def test_unlisted_file_is_named(folder, name):
    (folder / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=f"{name} is not listed"):
        load_artifact(folder)


def test_files_of_two_artifacts_do_not_mix(folder):
    other = {"model": {"a": torch.ones(2, 3), "b": OLD["model"]["b"]}}
    save_artifact(folder.parent / "other", other, DOCUMENTS)
    shutil.copy(folder.parent / "other" / "model.safetensors", folder)
    with pytest.raises(CheckpointError, match="is damaged"):
        load_artifact(folder)


def test_link_inside_is_refused(folder):
    (folder / "config.json").rename(folder.parent / "config.json")
    (folder / "config.json").symlink_to(folder.parent / "config.json")
    with pytest.raises(CheckpointError, match=r"config\.json is a link"):
        load_artifact(folder)


@pytest.mark.parametrize("name", ["../config.json", "/etc/x.json", "a/b.json", "evil.pkl", ""])
def test_name_that_leaves_the_folder_is_refused(folder, name):
    edit_manifest(folder, lambda m: m["files"].update({name: m["files"].pop("config.json")}))
    with pytest.raises(CheckpointError, match="no allowed file name"):
        load_artifact(folder)


def test_newer_format_names_both_versions(folder):
    edit_manifest(folder, lambda m: m.update(version=2))
    with pytest.raises(CheckpointError, match="format version 2, and this seqrec reads version 1"):
        load_artifact(folder)


class Canary:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_pickle_in_place_of_a_file_is_never_run(folder, tmp_path, name):
    data = pickle.dumps(Canary(tmp_path / "canary"))
    (folder / name).write_bytes(data)
    if name != "manifest.json":
        import hashlib

        entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        edit_manifest(folder, lambda m: m["files"].update({name: entry}))
    with pytest.raises(CheckpointError, match=name):
        load_artifact(folder)
    assert not (tmp_path / "canary").exists()


def test_torch_file_in_place_of_the_folder_is_never_run(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as file:
        file.writestr("model/data.pkl", pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(CheckpointError, match=r"model\.pt is a file"):
        load_artifact(tmp_path / "model.pt")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "config.json"),
        ("9" * 5_000, "config.json"),
        ("\xff", "config.json"),
    ],
)
def test_hostile_json_is_refused(folder, text, reason):
    import hashlib

    data = text.encode("latin-1")
    (folder / "config.json").write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(folder, lambda m: m["files"].update({"config.json": entry}))
    with pytest.raises(CheckpointError, match=reason):
        load_artifact(folder)


def test_absent_artifact_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere does not exist"):
        load_artifact(tmp_path / "nowhere")


def test_folder_of_other_files_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    with pytest.raises(ResourceError, match=r"holds 'thesis\.tex'"):
        save_artifact(tmp_path / "home", NEW, {})
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    assert names_in(tmp_path) == ["home"]


def test_file_is_never_replaced(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(ResourceError, match="it is a file"):
        save_artifact(tmp_path / "model", NEW, {})
    assert (tmp_path / "model").read_text() == "mine"


def test_writer_killed_between_its_renames_loses_nothing(folder):
    folder.rename(folder.with_name(".saved.old"))
    saved = load_artifact(folder)
    assert torch.equal(saved.tensors["model"]["a"], OLD["model"]["a"])
    save_artifact(folder, NEW, {})
    assert list(load_artifact(folder).tensors["model"]) == ["a"]
    assert names_in(folder.parent) == ["saved"]


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
@pytest.mark.parametrize("nth", range(6))
def test_failing_system_call_keeps_the_old_artifact(folder, monkeypatch, call, nth):
    calls = []
    real = {"fsync": os.fsync, "rename": Path.rename, "mkdir": Path.mkdir}[call]

    def failing(*arguments, **options):
        calls.append(call)
        if len(calls) == nth + 1:
            raise OSError(5, "Input/output error")
        return real(*arguments, **options)

    monkeypatch.setattr(os if call == "fsync" else Path, call, failing)
    with suppress(ResourceError):
        save_artifact(folder, NEW, {"note": 1})
    monkeypatch.undo()
    if len(calls) <= nth:  # it was not called so often: the save went through
        assert list(load_artifact(folder).tensors["model"]) == ["a"]
    elif (call, nth) in {("fsync", 4), ("rename", 2)}:  # after the new one took its place
        assert list(load_artifact(folder).documents) == ["note"]
    else:
        assert_old(folder)


KILLED = """
import os, shutil, sys, torch
from pathlib import Path
from seqrec.training.artifact import load_artifact, save_artifact

def save(folder, number):
    save_artifact(folder, {"model": {"a": torch.full((9,), number)}}, {"number": number})

def die_at(nth):
    calls = []
    def counted(real):
        def call(*arguments, **options):
            calls.append(real)
            if len(calls) == nth:
                os.kill(os.getpid(), 9)
            return real(*arguments, **options)
        return call
    os.fsync, os.unlink, os.rmdir = counted(os.fsync), counted(os.unlink), counted(os.rmdir)
    Path.rename, Path.mkdir = counted(Path.rename), counted(Path.mkdir)

folder = Path(sys.argv[1])
save(folder, 0)
for nth in range(1, 99):
    child = os.fork()
    if child == 0:
        die_at(nth)
        save(folder, nth)
        os._exit(0)
    killed = os.waitpid(child, 0)[1] != 0
    saved = load_artifact(folder)
    number = saved.documents["number"]
    assert number in (nth - 1, nth), (nth, number)
    assert set(saved.tensors["model"]["a"].tolist()) == {number}
    save(folder, nth)
    if not killed:
        sys.exit(0 if nth > 10 else f"only {nth} calls")
sys.exit("it never went through")
"""


def test_writer_killed_at_any_system_call_leaves_a_whole_artifact(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "saved")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


LARGE = """
import resource, signal, sys, torch
from pathlib import Path
from seqrec.errors import ResourceError
from seqrec.training.artifact import save_artifact
if sys.argv[2] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    save_artifact(Path(sys.argv[1]), {"model": {"a": torch.ones(2**20)}}, {})
except ResourceError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def save_large(folder: Path, file_limit: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(folder), str(file_limit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done
    return done.stderr


def test_file_size_limit_keeps_the_old_artifact(folder):
    message = save_large(folder, file_limit=2**20)
    assert "ResourceError" in message
    assert "File too large (it needs about 4,194,304 bytes)" in message
    assert_old(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_full_disk_keeps_the_old_artifact(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        save_artifact(disk / "saved", OLD, DOCUMENTS)
        message = save_large(disk / "saved")
        assert f"cannot write {disk}/saved: No space left on device" in message
        assert_old(disk / "saved")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_reader_follows_a_running_writer(folder):
    """Reads beside a writer see one artifact or the other, and never an error."""
    code = (
        "import sys, torch; from pathlib import Path\n"
        "from seqrec.training.artifact import save_artifact\n"
        "for i in range(100): save_artifact(Path(sys.argv[1]), {'model': {'a': torch.full((99,), i)}}, {'i': i})"  # noqa: E501
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)]) as writer:
        while writer.poll() is None:
            saved = load_artifact(folder)
            if "i" in saved.documents:
                assert set(saved.tensors["model"]["a"].tolist()) == {saved.documents["i"]}
    assert writer.returncode == 0


def test_all_differences_of_a_state_are_listed():
    model = nn.Linear(2, 3)
    tensors = {"weight": torch.zeros(3, 4), "other": torch.zeros(1)}
    with pytest.raises(CheckpointError) as caught:
        check_state(model, tensors, source="m")
    assert str(caught.value) == (
        "m does not fit the model: missing bias; unexpected other; "
        "weight has shape [3, 4], not [3, 2]"
    )


def test_dtype_of_a_state_is_checked():
    tensors = {"weight": torch.zeros(3, 2).half(), "bias": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"weight is torch\.float16, not torch\.float32"):
        check_state(nn.Linear(2, 3), tensors, source="m")


def test_empty_artifact_is_an_artifact(tmp_path):
    save_artifact(tmp_path / "a", {}, {})
    assert load_artifact(tmp_path / "a") == Artifact(tensors={}, documents={})
