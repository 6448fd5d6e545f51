"""Writers of a folder that are killed, and two of them at once: what is left, and to whom."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqrec import folder as folders
from seqrec.errors import ResourceError
from seqrec.files import name_aside
from seqrec.folder import JUST_MADE, read_folder, remove_folder, remove_leftovers, whole_folder
from unit.things import THING, names_of, write


def text_of(folder):
    return read_folder(folder, THING, lambda place, _: (place / "a.txt").read_text())


def test_a_removed_folder_does_not_give_way_to_an_older_one(tmp_path, monkeypatch):
    write(tmp_path / "a", "old")
    (tmp_path / "a").rename(tmp_path / ".a.old")
    write(tmp_path / "b", "new")
    (tmp_path / "b").rename(tmp_path / "a")
    gone = []
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: gone.append(path.name) or rename(path, to))
    remove_folder(tmp_path / "a", THING)
    assert gone == [".a.old", "a"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_writer_was_killed_between_two_names_is_read_and_replaced(tmp_path):
    write(tmp_path / "a", "old")
    (tmp_path / "a").rename(tmp_path / ".a.old")
    assert names_of(tmp_path / "a") == ["a.txt"]
    with pytest.raises(ResourceError, match="/a exists already"):
        write(tmp_path / "a")
    with pytest.raises(KeyError), whole_folder(tmp_path / "a", THING, replace=True):
        raise KeyError
    assert names_of(tmp_path / "a") == ["a.txt"]
    write(tmp_path / "a", "new", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "a.txt").read_text() == "new"


def test_what_a_writer_killed_after_it_had_replaced_the_old_folder_left_goes(tmp_path):
    write(tmp_path / "a", "old")
    (tmp_path / "a").rename(tmp_path / ".a.old")
    write(tmp_path / "b", "new")
    (tmp_path / "b").rename(tmp_path / "a")
    write(tmp_path / "a", "newest", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "a.txt").read_text() == "newest"


def test_an_old_folder_is_never_half_deleted(tmp_path, monkeypatch):
    write(tmp_path / "a", "old")
    seen = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: seen.append(path.name))
    write(tmp_path / "a", "new", replace=True)
    assert all(name.startswith(".a.new-") for name in seen)
    assert not (tmp_path / ".a.old").exists()


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    outside = tmp_path / "outside"
    home = tmp_path / "home"
    for folder in (outside, home, home / name_aside(home / "last"), home / "kept.new-1"):
        folder.mkdir()
        (folder / "a.txt").write_text("x")
    (home / name_aside(home / "report.json")).write_text("{")
    (home / name_aside(home / "link")).symlink_to(outside)
    remove_leftovers(home)
    assert sorted(path.name for path in home.iterdir()) == ["a.txt", "kept.new-1"]
    assert (outside / "a.txt").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from seqrec.errors import DataError
from seqrec.folder import Kind, whole_folder
thing = Kind(format="thing", version=1, suffixes=(".txt",), unreadable=DataError)
with whole_folder(Path(sys.argv[1]), thing) as aside:
    (aside / "a.txt").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def make_old(folder):
    long_ago = time.time() - 2 * JUST_MADE
    os.utime(folder, (long_ago, long_ago))


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    write(tmp_path / "a")
    assert left.exists()  # it may have been made an instant ago
    make_old(left)
    write(tmp_path / "other")
    assert left.exists()
    write(tmp_path / "a", replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "other"]


def test_a_living_writer_is_left_alone(tmp_path):
    with whole_folder(tmp_path / "a", THING, replace=True) as slow:
        (slow / "a.txt").write_text("slow")
        make_old(slow)
        write(tmp_path / "a", "quick")
        assert (tmp_path / "a" / "a.txt").read_text() == "quick"
    assert (tmp_path / "a" / "a.txt").read_text() == "slow"


def test_a_link_named_like_a_leftover_is_left_alone(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("x")
    make_old(outside)
    link = tmp_path / name_aside(tmp_path / "a")
    link.symlink_to(outside)
    write(tmp_path / "a")
    assert (outside / "a.txt").exists()


def test_what_another_writer_has_moved_is_left_to_it(tmp_path, monkeypatch):
    folder, old, fsync = tmp_path / "a", tmp_path / ".a.old", folders.fsync
    write(folder, "old")

    def meanwhile(path):
        fsync(path)
        if path == tmp_path:  # the new one has its name: another writer makes way for its own
            shutil.rmtree(old)
            folder.rename(old)

    monkeypatch.setattr(folders, "fsync", meanwhile)
    write(folder, "new", replace=True)
    monkeypatch.undo()
    assert text_of(folder) == "new"  # also if that writer is killed now
    write(folder, "newest", replace=True)
    assert text_of(folder) == "newest"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_appears_while_another_is_written_stays(tmp_path):
    writing = whole_folder(tmp_path / "a", THING)
    (writing.__enter__() / "a.txt").write_text("mine")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("theirs")
    with pytest.raises(ResourceError, match="/a exists already"):
        writing.__exit__(None, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["thesis.txt"]


def test_a_folder_that_appears_at_the_last_moment_stays(tmp_path, monkeypatch):
    def appear(folder, kind, *, replace):
        refuse(folder, kind, replace=replace)
        if any(tmp_path.iterdir()):  # the second time, beside what was written
            (tmp_path / "a").mkdir()
            (tmp_path / "a" / "thesis.txt").write_text("theirs")

    refuse = folders.refuse_occupied
    monkeypatch.setattr(folders, "refuse_occupied", appear)
    with pytest.raises(ResourceError, match=r"cannot write .*/a: "):
        write(tmp_path / "a")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["thesis.txt"]
