import hashlib
import io
import re
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqrec.data.interactions import Interactions
from seqrec.data.movielens import RELEASES, download
from seqrec.errors import ConfigError, DataError, ResourceError

DAT = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n"
TAB = DAT.replace("::", "\t")
CSV = "userId,movieId,rating,timestamp\n" + DAT.replace("::", ",")
EXPECTED = [(1, 1193, 5.0, 978300760), (1, 661, 3.0, 978302109), (2, 1193, 4.0, 978298413)]


def rows(log: Interactions) -> list[tuple]:
    users, items = log.user_ids.decode(log.users), log.item_ids.decode(log.items)
    columns = (users.tolist(), items.tolist(), log.ratings.tolist(), log.times.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("name", "content"), [("ratings.dat", DAT), ("u.data", TAB), ("ratings.csv", CSV)]
)
def test_every_release_is_read(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert rows(Interactions.from_movielens(tmp_path / name)) == EXPECTED
    assert rows(Interactions.from_movielens(tmp_path)) == EXPECTED
    assert rows(Interactions.from_file(tmp_path / name)) == EXPECTED


def test_names_of_columns_that_would_be_ignored_are_refused(tmp_path):
    (tmp_path / "u.data").write_text(TAB)
    for place in (tmp_path, tmp_path / "u.data"):
        with pytest.raises(ConfigError, match=r"is MovieLens', whose columns are known"):
            Interactions.from_file(place, user_col="user")


def test_a_ratings_csv_whose_columns_are_named_is_any_log(tmp_path):
    (tmp_path / "ratings.csv").write_text(CSV)
    log = Interactions.from_file(
        tmp_path / "ratings.csv", user_col="userId", item_col="movieId", time_col=""
    )
    assert (log.times, log.ratings) == (None, None)


@pytest.mark.parametrize("line", ["1::2::3", "1::2::3::4::5", "1:2:3:4", "1::2:x:3::4"])
def test_a_line_of_another_width_is_named(tmp_path, line):
    (tmp_path / "ratings.dat").write_text(f"{DAT}{line}\n")
    with pytest.raises(DataError, match=r"ratings\.dat, line 4"):
        Interactions.from_movielens(tmp_path / "ratings.dat")


def test_a_wrong_time_names_its_line(tmp_path):
    (tmp_path / "ratings.dat").write_text(f"{DAT}3::1::5::soon\n")
    with pytest.raises(DataError, match="line 4: column 'timestamp' has 'soon'"):
        Interactions.from_movielens(tmp_path / "ratings.dat")


def test_another_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="none of the MovieLens files"):
        Interactions.from_movielens(tmp_path / "movies.dat")


def test_a_folder_without_ratings_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds 0 of the files"):
        Interactions.from_movielens(tmp_path)


def archive(method: int = zipfile.ZIP_DEFLATED, **members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for name, text in members.items():
            opened.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


@contextmanager
def serving(content: bytes, status: int = 200, promised: int | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(promised or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(folder: Path, content: bytes, md5: str | None = None, **options) -> Path:
    digest = md5 or hashlib.md5(content).hexdigest()
    with serving(content, **options) as server:
        return download("ml-1m", folder, server=server, md5=digest)


def test_a_download_keeps_the_ratings_alone(tmp_path):
    content = archive(**{"ml-1m__ratings.dat": DAT, "ml-1m__users.dat": "", "..__evil": "!"})
    path = fetch(tmp_path / "data", content)
    assert path == tmp_path / "data" / "ml-1m" / "ratings.dat"
    assert rows(Interactions.from_movielens(path)) == EXPECTED
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["ratings.dat"]


def test_progress_is_told_in_bytes(tmp_path):
    content = archive(**{"ml-1m__ratings.dat": DAT})
    told: list[tuple] = []
    with serving(content) as server:
        digest = hashlib.md5(content).hexdigest()
        download(
            "ml-1m",
            tmp_path,
            server=server,
            md5=digest,
            progress=lambda *told_: told.append(told_),
        )
    assert told[-1] == (len(content), len(content))


def test_a_file_that_is_there_is_not_fetched_again(tmp_path):
    path = tmp_path / RELEASES["ml-1m"].member
    path.parent.mkdir()
    path.write_text(DAT)
    assert download("ml-1m", tmp_path, server="http://127.0.0.1:1") == path


def test_another_digest_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="damaged: its MD5 is"):
        fetch(tmp_path, archive(**{"ml-1m__ratings.dat": DAT}), md5="0" * 32)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no archive with ml-1m/ratings\.dat"):
        fetch(tmp_path, b"<html>sorry</html>")


def test_an_archive_without_the_ratings_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no archive with ml-1m/ratings\.dat"):
        fetch(tmp_path, archive(other="x"))


def test_a_refusing_server_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"cannot download http://.*ml-1m\.zip: Not Found"):
        fetch(tmp_path / "new", b"", status=404)
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"cannot download http://127\.0\.0\.1:1/ml-1m\.zip"):
        download("ml-1m", tmp_path, server="http://127.0.0.1:1")


def test_an_answer_cut_short_is_refused(tmp_path):
    content = archive(**{"ml-1m__ratings.dat": DAT})
    with pytest.raises(ResourceError, match=r"cannot download"):
        fetch(tmp_path, content, promised=len(content) + 10)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that says these bytes to whoever asks, whether they are HTTP or not."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            asked, _ = listening.accept()
            with asked:
                asked.recv(1 << 16)
                asked.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nx", "'abc'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx", "IncompleteRead"),
    ],
)
def test_an_answer_that_is_no_download_is_refused(tmp_path, answer, said):
    with (
        answering(answer) as server,
        pytest.raises(ResourceError, match=rf"cannot download {server}/ml-1m\.zip: .*{said}"),
    ):
        download("ml-1m", tmp_path, server=server)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://[::1"]
)
def test_an_address_that_cannot_be_is_refused(tmp_path, server):
    with pytest.raises(ResourceError, match=re.escape(f"cannot download {server}/ml-1m.zip: ")):
        download("ml-1m", tmp_path, server=server)


def of_another_kind(content: bytes, *, flags: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The archive, whose first member says in both its headers that it is packed like that."""
    changed = bytearray(content)
    for header, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<HH", changed, content.index(header) + place, flags, method)
    return bytes(changed)


@pytest.mark.parametrize(
    ("packed", "said"), [({"flags": 1}, "is encrypted"), ({"method": 97}, "not supported")]
)
def test_an_archive_that_python_cannot_unpack_is_named(tmp_path, packed, said):
    content = of_another_kind(archive(**{"ml-1m__ratings.dat": DAT}), **packed)
    with pytest.raises(ResourceError, match=rf"cannot unpack http://.*/ml-1m\.zip: .*{said}"):
        fetch(tmp_path, content)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_member_of_an_archive_is_named(tmp_path, method):
    content = archive(method, **{"ml-1m__ratings.dat": DAT})
    middle = content.index(b"ratings.dat") + len(b"ratings.dat") + 40
    damaged = content[:middle] + b"\xff" * 8 + content[middle + 8 :]
    with pytest.raises(DataError, match=r"ml-1m\.zip is damaged: ml-1m/ratings\.dat cannot be"):
        fetch(tmp_path, damaged)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_name_in_an_archive_that_is_no_text_is_refused(tmp_path):
    content = archive(**{"ml-1m__r\u00e4tings.dat": DAT}).replace("\u00e4".encode(), b"\xe4\xe4")
    with pytest.raises(DataError, match=r"no archive with ml-1m/ratings\.dat: .*codec"):
        fetch(tmp_path, content)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / RELEASES["ml-1m"].member).mkdir(parents=True)
    with pytest.raises(ResourceError, match=r"ratings\.dat is a folder"):
        download("ml-1m", tmp_path, server="http://127.0.0.1:1")


def test_an_unknown_release_names_the_known(tmp_path):
    with pytest.raises(ConfigError, match="one of ml-100k, ml-1m"):
        download("ml-2m", tmp_path)


def test_only_http_is_fetched(tmp_path):
    with pytest.raises(ConfigError, match="http"):
        download("ml-1m", tmp_path, server="file:///etc")


def test_a_ratings_csv_of_somebody_else_is_a_log_like_any_other(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("user_id,item_id,timestamp\n1,1193,5\n")
    log = Interactions.from_file(path)
    assert log.item_ids.decode(log.items).tolist() == [1193]
    assert len(Interactions.from_file(tmp_path)) == 1
