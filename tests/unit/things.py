"""A kind of folder that seqrec could write, and how to write and read one."""

from __future__ import annotations

from seqrec.errors import DataError
from seqrec.folder import Kind, read_folder, whole_folder


def kind_of(name):
    return Kind(format=name, version=1, suffixes=(".txt", ".json"), unreadable=DataError)


THING = kind_of("thing")


def write(folder, text="x", *, kind=THING, replace=False):
    with whole_folder(folder, kind, replace=replace) as aside:
        (aside / "a.txt").write_text(text)


def names_of(folder, **options):
    return read_folder(folder, THING, lambda _, files: list(files), **options)
