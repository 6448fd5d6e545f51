"""MovieLens: its files, as GroupLens publishes them, and their download.

F. Maxwell Harper and Joseph A. Konstan: The MovieLens Datasets. ACM TiiS 5(4), 2015. The data are
for research, without redistribution or commercial use unless GroupLens permits it.
"""

from __future__ import annotations

import hashlib
import http.client
import lzma
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from seqrec.config import check
from seqrec.data.delimited import Layout, read_delimited, read_header
from seqrec.data.roles import Columns
from seqrec.data.tables import RawTable
from seqrec.errors import DataError, ResourceError, SeqrecError
from seqrec.files import made_folder, refuse_place, whole_file

SERVER = "https://files.grouplens.org/datasets/movielens"
LICENCE = (
    "MovieLens data: for research; no redistribution without permission, no commercial use. "
    "Cite Harper and Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015. See "
    "https://grouplens.org/datasets/movielens/"
)
Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all where known)

_NAMES = ("user_id", "item_id", "rating", "timestamp")
_DAT_COLUMNS = Columns(rating="rating")
_CSV_COLUMNS = Columns(user="userId", item="movieId", time="timestamp", rating="rating")
_LAYOUTS = {
    "ratings.dat": (Layout(sep="::", names=_NAMES, quoted=False), _DAT_COLUMNS),
    "u.data": (Layout(sep="\t", names=_NAMES, quoted=False), _DAT_COLUMNS),
    "ratings.csv": (Layout(sep=","), _CSV_COLUMNS),
}
FILES = tuple(_LAYOUTS)

# What urllib raises for a server, a network, an address or a proxy that is not as it should be.
_REFUSALS = (
    urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException,
    ValueError,  # a length that is no number, brackets that stay open
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Release:
    """One archive of MovieLens: the file of ratings in it, and the MD5 that GroupLens publishes."""

    member: str
    md5: str


RELEASES = {
    "ml-100k": Release("ml-100k/u.data", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": Release("ml-1m/ratings.dat", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-20m": Release("ml-20m/ratings.csv", "cd245b17a1ae2cc31bb14903e1204af3"),
    "ml-25m": Release("ml-25m/ratings.csv", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": Release("ml-32m/ratings.csv", "d472be332d4daa821edc399621853b57"),
}


def is_movielens(path: Path) -> bool:
    """Whether a file is MovieLens' by its name; a ratings.csv, by its header too."""
    return path.name in FILES and (path.suffix != ".csv" or "userId" in read_header(path, ",")[1])


def read_movielens(path: str | Path) -> RawTable:
    """The log in `ratings.dat`, `u.data` or `ratings.csv`, or in a folder that holds one of them.

    Raises:
        DataError: if there is no such file, or a line is wrong.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in FILES if (path / name).is_file()]
        if len(found) != 1:
            raise DataError(f"{path} holds {len(found)} of the files {', '.join(FILES)}, not one")
        path = found[0]
    if path.name not in _LAYOUTS:
        raise DataError(f"{path} is none of the MovieLens files {', '.join(FILES)}")
    layout, columns = _LAYOUTS[path.name]
    return read_delimited(path, layout, columns)


def download(
    name: str,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    server: str = SERVER,
    md5: str | None = None,
) -> Path:
    """Fetches a release, checks its digest, and keeps its file of ratings.

    The caller shows `LICENCE`. A file that is there already is kept and returned.

    Args:
        name: one of `RELEASES`.
        folder: the file will be `folder/name/ratings.dat` (or u.data, ratings.csv).
        progress: called with (bytes so far, bytes in all or None) as they arrive.
        server: address of the archives, for mirrors.
        md5: digest of the archive, for mirrors that pack it anew; None: the published one.

    Returns:
        The path of the file of ratings.

    Raises:
        ConfigError: for an unknown name.
        ResourceError: if the server or the disk refuses, or this Python cannot unpack what came.
        DataError: if what came is damaged.
    """
    check(name in RELEASES, "name", name, f"one of {', '.join(RELEASES)}")
    release = RELEASES[name]
    target = Path(folder) / release.member
    if target.is_file():
        return target
    refuse_place(target)
    address = f"{server}/{name}.zip"
    check(address.startswith(("https://", "http://")), "server", server, "an http(s) address")
    try:
        with (
            made_folder(target.parent),
            tempfile.TemporaryFile(dir=target.parent) as archive,
        ):
            digest = _fetch(address, archive, progress)
            wanted = md5 or release.md5
            if digest != wanted:
                raise DataError(f"{address} is damaged: its MD5 is {digest}, not {wanted}")
            _extract(archive, release.member, target, address)
    except SeqrecError:
        raise
    except _REFUSALS as error:
        reason = getattr(error, "reason", error)
        raise ResourceError(f"cannot download {address}: {reason}") from error
    except OSError as error:
        raise ResourceError(f"cannot write {target}: {error.strerror or error}") from None
    return target


def _fetch(address: str, archive: BinaryIO, progress: Progress | None) -> str:
    """Copies the bytes of an address, and returns their MD5 (hex)."""
    digest = hashlib.md5(usedforsecurity=False)  # what GroupLens publishes: against damage
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  (http(s) only)
        length = answer.headers.get("Content-Length")
        total, done = (int(length) if length else None), 0
        while block := answer.read(1 << 18):
            archive.write(block)
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if total is not None and done != total:
        raise ResourceError(f"cannot download {address}: {done} of {total} bytes came")
    return digest.hexdigest()


def _extract(archive: BinaryIO, member: str, target: Path, address: str) -> None:
    """Writes one member under a name of ours, so that no name in the archive is ever a path."""
    try:
        with (
            whole_file(target) as aside,
            zipfile.ZipFile(archive) as opened,
            opened.open(member) as source,
            aside.open("wb") as file,
        ):
            for block in _unpacked(source, address):
                file.write(block)
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{address} is no archive with {member}: {error}") from None
    except RuntimeError as error:  # it is encrypted, or compressed in another way
        raise ResourceError(f"cannot unpack {address}: {error}") from error


def _unpacked(source: IO[bytes], address: str) -> Iterator[bytes]:
    """The blocks of a member of an archive, each way of packing with errors of its own."""
    try:
        while block := source.read(1 << 20):
            yield block
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the disk's: those of bz2 have none
            raise
        raise DataError(
            f"{address} is damaged: {source.name} cannot be unpacked: {error}"
        ) from None
