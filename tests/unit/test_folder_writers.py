"""Two writers of one folder at once."""

from __future__ import annotations

import shutil

from seqrec import folder as folders
from seqrec.errors import DataError
from seqrec.folder import Kind, read_folder, whole_folder

THING = Kind(format="thing", version=1, suffixes=(".txt",), unreadable=DataError)


def write(folder, text):
    with whole_folder(folder, THING, replace=True) as aside:
        (aside / "a.txt").write_text(text)


def read(folder):
    return read_folder(folder, THING, lambda place, _: (place / "a.txt").read_text())


def test_what_another_writer_has_moved_is_left_to_it(tmp_path, monkeypatch):
    folder, old, fsync = tmp_path / "a", tmp_path / ".a.old", folders.fsync
    write(folder, "old")

    def meanwhile(path):
        fsync(path)
        if path == tmp_path:  # the new one has its name: another writer makes way for its own
            shutil.rmtree(old)
            folder.rename(old)

    monkeypatch.setattr(folders, "fsync", meanwhile)
    write(folder, "new")
    monkeypatch.undo()
    assert read(folder) == "new"  # also if that writer is killed now
    write(folder, "newest")
    assert read(folder) == "newest"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
