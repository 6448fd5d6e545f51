"""The folder of a run that never came to anything, and its lock."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from seqrec.errors import ConfigError, ResourceError
from seqrec.training import lock
from seqrec.training.lock import locked
from unit.training.tiny_run import TinyStream, run, tiny_config


@pytest.fixture
def refused(monkeypatch):
    """A run that is refused once its folder is made."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    def start(folder):
        with pytest.raises(ConfigError, match="tensorboard"):
            run(folder, config=tiny_config(tensorboard=True))

    return start


def test_a_refused_run_leaves_no_folder_that_it_made(refused, tmp_path):
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine" / "new" / "run", tmp_path / "run"):
        refused(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_a_refused_run_leaves_the_folder_that_was_there(refused, tmp_path):
    refused(tmp_path)
    assert tmp_path.is_dir()


def test_a_run_that_fails_at_its_first_step_leaves_no_folder(tmp_path):
    def at_step(_epoch, _step):
        raise ResourceError("no memory")

    with pytest.raises(ResourceError, match="no memory"):
        run(tmp_path / "run", stream=TinyStream([1], at_step=at_step))
    assert list(tmp_path.iterdir()) == []


def test_what_a_failed_run_has_logged_stays(tmp_path):
    def at_step(_epoch, step):
        if step == 3:  # the first two are in the log
            raise ResourceError("no memory")

    with pytest.raises(ResourceError, match="no memory"):
        run(tmp_path / "run", stream=TinyStream([5], at_step=at_step))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [".lock", "log.jsonl"]


@pytest.mark.parametrize("name", ["notes.txt", "log.jsonl"])
def test_what_others_put_there_keeps_the_folder(tmp_path, name):
    def end():
        with locked(tmp_path / "run", blank=("log.jsonl",)):
            (tmp_path / "run" / name).write_text("" if name == "notes.txt" else "{}")
            raise ResourceError("no memory")

    with pytest.raises(ResourceError, match="no memory"):
        end()
    assert (tmp_path / "run" / name).exists()


def test_a_folder_that_took_the_place_of_the_one_that_was_made_is_kept(tmp_path):
    def end():
        with locked(tmp_path / "run"):
            shutil.rmtree(tmp_path / "run")
            (tmp_path / "run").mkdir()
            raise ResourceError("no memory")

    with pytest.raises(ResourceError, match="no memory"):
        end()
    assert (tmp_path / "run").is_dir()


def test_a_lock_whose_folder_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    take, removed = lock._take, []

    def removed_before(descriptor, path):
        if not removed:
            removed.append(path)
            shutil.rmtree(path.parent)
        take(descriptor, path)

    monkeypatch.setattr(lock, "_take", removed_before)
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())
    assert removed
