import json
import os
import stat

import pytest

from seqrec.errors import DataError, ResourceError
from seqrec.files import make_folder, read_json, whole_file, write_json
from seqrec.folder import (
    read_document,
    read_folder,
    remove_folder,
    whole_folder,
)
from seqrec.training.lock import locked
from unit.things import THING, kind_of, names_of, write


def test_a_folder_appears_whole(tmp_path):
    folder = tmp_path / "deep" / "down"
    with whole_folder(folder, THING) as aside:
        (aside / "a.txt").write_text("x")
        assert not folder.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "manifest.json"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), whole_folder(tmp_path / "a", THING):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_older_folder(tmp_path):
    write(tmp_path / "a", "old")
    with pytest.raises(KeyError), whole_folder(tmp_path / "a", THING, replace=True):
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
    with pytest.raises(ResourceError, match="is not replaced"):
        write(tmp_path / "a", replace=True)
    assert (tmp_path / "a" / "letters.txt").read_text() == "dear"


@pytest.mark.parametrize("taken", [False, True])
def test_a_folder_called_as_the_old_one_would_be_is_never_deleted(tmp_path, taken):
    if taken:
        write(tmp_path / "a", "old")
    (tmp_path / ".a.old").mkdir()
    (tmp_path / ".a.old" / "thesis.txt").write_text("years")
    with pytest.raises(ResourceError, match=r"\.a\.old is needed .* and holds 'thesis\.txt'"):
        write(tmp_path / "a", replace=True)
    with pytest.raises(ResourceError, match="is needed"):
        remove_folder(tmp_path / "a", THING)
    assert (tmp_path / ".a.old" / "thesis.txt").read_text() == "years"
    assert (tmp_path / "a").exists() == taken


def test_nor_where_the_place_is_a_link(tmp_path):
    (tmp_path / "deep" / ".a.old").mkdir(parents=True)
    (tmp_path / "deep" / ".a.old" / "thesis.txt").write_text("years")
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "a")
    with pytest.raises(ResourceError, match=r"deep/\.a\.old is needed"):
        write(tmp_path / "link")
    assert (tmp_path / "deep" / ".a.old" / "thesis.txt").exists()


def test_an_empty_folder_called_as_the_old_one_is_no_folder_of_ours(tmp_path):
    (tmp_path / ".a.old").mkdir()
    with pytest.raises(DataError, match="/a does not exist"):
        names_of(tmp_path / "a")


def test_what_is_replaced_keeps_its_mode(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "a").chmod(0o700)
    write(tmp_path / "a", replace=True)
    with whole_file(tmp_path / "b") as aside:
        aside.write_text("x")
    (tmp_path / "b").chmod(0o640)
    with whole_file(tmp_path / "b") as aside:
        aside.write_text("y")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o700, 0o640]


def test_a_long_name_is_as_good_as_a_short_one(tmp_path):
    name = "ä" * 120 + "x" * 10  # 250 bytes
    for text in ("old", "new"):
        write(tmp_path / name, text, replace=True)
        with whole_file(tmp_path / f"{name}.txt") as aside:
            aside.write_text(text)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.txt"]


def test_a_file_in_the_place_is_refused(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(ResourceError, match="is no folder"):
        write(tmp_path / "a", replace=True)


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
    write(tmp_path / "a", kind=kind_of("model"))
    with pytest.raises(DataError, match="the folder holds 'model', not 'thing'"):
        names_of(tmp_path / "a")


def test_an_unlisted_path_is_never_followed(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "secret.txt").write_text("x")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    manifest["files"]["../secret.txt"] = manifest["files"]["a.txt"]
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"secret\.txt', which is no allowed file name"):
        names_of(tmp_path / "a", verify=False)


def test_digests_can_be_left_unread(tmp_path):
    write(tmp_path / "a", "x")
    (tmp_path / "a" / "a.txt").write_text("y")
    assert names_of(tmp_path / "a", verify=False) == ["a.txt"]
    with pytest.raises(DataError, match="is damaged"):
        names_of(tmp_path / "a", verify=True)


def test_a_stranger_s_file_keeps_its_folder_from_being_replaced(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "a" / "thesis.tex").write_text("years")
    with pytest.raises(ResourceError, match=r"is not replaced: it holds 'thesis\.tex'"):
        write(tmp_path / "a", replace=True)
    assert (tmp_path / "a" / "thesis.tex").read_text() == "years"


def test_one_document_is_read_without_the_other_files(tmp_path):
    with whole_folder(tmp_path / "a", THING) as aside:
        (aside / "a.txt").write_text("x")
        write_json(aside / "b.json", {"c": 1})
    (tmp_path / "a" / "a.txt").write_text("y")
    assert read_document(tmp_path / "a", THING, "b.json") == {"c": 1}
    (tmp_path / "a" / "b.json").write_text('{\n  "c": 2\n}\n')
    with pytest.raises(DataError, match=r"b\.json is damaged"):
        read_document(tmp_path / "a", THING, "b.json")


def test_a_data_set_of_before_the_common_manifest_is_read(tmp_path):
    write(tmp_path / "a")
    manifest = tmp_path / "a" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format"', '"kind"'))
    assert names_of(tmp_path / "a") == ["a.txt"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_what_is_no_json_is_named(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.json is no JSON"):
        read_json(tmp_path / "a.json", DataError)


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


def test_nothing_is_written_inside_a_folder_of_seqrec(tmp_path):
    sealed, ours = tmp_path / "data", kind_of("seqrec thing")
    write(sealed, kind=ours)
    for place in (sealed / "new.txt", sealed / "deep" / "new.txt"):
        with (
            pytest.raises(ResourceError, match=r"inside .*data, which is a seqrec thing"),
            whole_file(place),
        ):
            raise AssertionError
    with pytest.raises(ResourceError, match="would lie inside"):
        write(sealed / "run", kind=ours)
    with pytest.raises(ResourceError, match="would lie inside"), locked(sealed):
        raise AssertionError
    assert read_folder(sealed, ours, lambda _, files: list(files)) == ["a.txt"]
    write(sealed, "new", kind=ours, replace=True)


def test_a_place_below_a_file_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ResourceError, match="cannot write"),
        whole_file(tmp_path / "file" / "a") as f,
    ):
        f.write_text("x")


def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name, what in (("folder", "a folder"), ("pipe", "a pipe"), ("link", "a pipe")):
        with pytest.raises(ResourceError, match=rf"/{name} is {what}"), whole_file(tmp_path / name):
            raise AssertionError
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_to_a_place_that_is_not_there_yet_is_made(tmp_path):
    for name in ("data", "run", "results"):
        (tmp_path / name).symlink_to(tmp_path / "deep" / name)
    write(tmp_path / "data")
    with locked(tmp_path / "run"):
        make_folder(tmp_path / "results")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["data", "results", "run"]


def test_a_write_that_numpy_cut_short_is_told_as_a_full_disk(tmp_path):
    cut_short = "8 requested and 3 written"  # all that NumPy says, without the system's reason
    with (
        pytest.raises(ResourceError, match=rf"/a: the disk may be full: {cut_short}; what was"),
        whole_folder(tmp_path / "a", THING),
    ):
        raise OSError(cut_short)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_folders_that_are_not_there_makes_them(tmp_path):
    with whole_file(tmp_path / "new" / "deep" / "a.txt") as aside:
        aside.write_text("x")
    assert (tmp_path / "new" / "deep" / "a.txt").read_text() == "x"


def test_a_manifest_of_somebody_else_seals_nothing(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": "web app"}')
    with whole_file(tmp_path / "a.txt") as aside:
        aside.write_text("x")
    assert (tmp_path / "a.txt").read_text() == "x"
