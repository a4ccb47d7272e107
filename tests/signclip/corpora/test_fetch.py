"""Fetching: resumed, checked, unpacked where it belongs; a failure says what to do by hand."""

import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from signclip.core import files
from signclip.core.errors import BusyError, ConfigError, FetchError
from signclip.corpora import catalogue, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves one file; can break off, change it, forget ranges or fail."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.breaks: list[int] = []  # bytes after which each of the next answers breaks off
        self.status, self.ranges = 200, True
        self.length: str | None = None  # stated in place of the true one
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/file.zip"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        same = self.headers.get("If-Range") == server.etag
        if wanted and server.ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(server.content) > 0 and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", server.length or str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        if server.breaks:
            body = body[: server.breaks.pop(0)]
        self.wfile.write(body)
        self.close_connection = True


@pytest.fixture
def server():
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield serving
        serving.shutdown()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0)


def download(server, tmp_path, **kwargs) -> Path:
    return fetch.download(server.url, tmp_path / "file.zip", progress=False, **kwargs)


# Downloading


def test_a_file_comes_whole(server, tmp_path):
    assert download(server, tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip.part"]


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.breaks = [100_000, 50_000]
    assert download(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_progress_counts_as_no_failure(server, tmp_path):
    server.breaks = [10_000] * (fetch.ATTEMPTS + 5)
    assert download(server, tmp_path).read_bytes() == CONTENT


def test_a_server_that_starts_anew_each_time_is_given_up(server, tmp_path):
    server.ranges = False
    server.breaks = [1000 * number for number in range(1, 50)]
    with pytest.raises(FetchError, match="interrupted"):
        download(server, tmp_path)
    assert len(server.asked) <= 1 + fetch.ATTEMPTS


def test_a_length_that_is_no_number_is_a_failure(server, tmp_path):
    server.length = "abc"
    with pytest.raises(FetchError, match="states a length of 'abc'"):
        download(server, tmp_path)


def test_a_killed_download_goes_on_in_the_next_process(server, tmp_path):
    server.breaks = [100_000, *[0] * fetch.ATTEMPTS]
    with pytest.raises(FetchError):
        download(server, tmp_path)
    server.asked.clear()
    server.breaks.clear()
    assert download(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=100000-"]


def test_a_file_that_changed_in_between_is_fetched_anew(server, tmp_path):
    server.breaks = [100_000, *[0] * fetch.ATTEMPTS]
    with pytest.raises(FetchError, match="interrupted"):
        download(server, tmp_path)
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert download(server, tmp_path).read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}])
def test_a_server_that_cannot_go_on_sends_everything_again(server, tmp_path, change):
    for name, value in change.items():
        setattr(server, name, value)
    server.breaks = [100_000]
    assert download(server, tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    (tmp_path / "file.zip.part.version").write_text('"one"')
    assert download(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_an_empty_file_is_a_file(server, tmp_path):
    server.content = b""
    assert download(server, tmp_path).read_bytes() == b""


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (503, fetch.ATTEMPTS)])
def test_a_failure_says_what_to_do_by_hand(server, tmp_path, status, attempts):
    server.status = status
    with pytest.raises(
        FetchError, match=rf"replied {status} .*By hand: download http\S+ to \S+zip"
    ):
        download(server, tmp_path)
    assert len(server.asked) == attempts


def test_no_server_is_a_failure_too(tmp_path):
    with pytest.raises(FetchError, match="By hand"):
        fetch.download("http://127.0.0.1:9/file.zip", tmp_path / "file.zip", progress=False)


def zipped(members: dict[str, bytes], path: Path, **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes.get("mode", 0o100644) << 16
            archive.writestr(info, content)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_target_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: cannot make this folder"):
        fetch.fetch("wlasl", tmp_path / "file", progress=False)


# A corpus


@pytest.fixture
def wlasl(monkeypatch, server, tmp_path):
    """WLASL as if it were served here, as an archive; ``sha256`` may be set."""
    server.content = zipped({"WLASL_v0.3.json": b"[]"}, tmp_path / "served").read_bytes()
    about = catalogue.about("wlasl")

    def published(sha256: str | None = None) -> None:
        changes = {"url": server.url, "file": "list.zip", "unpack": True, "sha256": sha256}
        row = about.downloads[0].model_copy(update=changes)
        changed = about.model_copy(update={"downloads": (row,)})
        monkeypatch.setattr(fetch, "about", lambda name: changed)

    published()
    return published


def test_fetching_a_corpus_unpacks_it_and_records_what_came(wlasl, server, tmp_path):
    out = tmp_path / "out"
    assert fetch.fetch("wlasl", out, progress=False) == [out / "list.zip"]
    assert (out / "WLASL_v0.3.json").read_bytes() == b"[]"
    assert fetch._record(out)["list.zip"] == {
        "url": server.url,
        "sha256": files.sha256_bytes(server.content),
        "bytes": len(server.content),
    }
    fetch.fetch("wlasl", out, progress=False)
    assert len(server.asked) == 1  # it is there


def test_a_file_that_cannot_be_unpacked_is_not_what_later_ones_must_equal(wlasl, server, tmp_path):
    whole = server.content
    server.content = whole[:-30]
    with pytest.raises(FetchError, match="remove it"):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)
    (tmp_path / "out" / "list.zip").unlink()
    server.content, server.etag = whole, '"two"'
    fetch.fetch("wlasl", tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "WLASL_v0.3.json").read_bytes() == b"[]"


def test_a_published_checksum_must_fit(wlasl, server, tmp_path):
    wlasl("0" * 64)
    with pytest.raises(FetchError, match="expected 0000"):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)
    assert everything(tmp_path / "out") == {}
    wlasl(files.sha256_bytes(server.content))
    fetch.fetch("wlasl", tmp_path / "out", progress=False)


def test_a_later_fetch_must_get_the_same_file(wlasl, server, tmp_path):
    fetch.fetch("wlasl", tmp_path / "out", progress=False)
    (tmp_path / "out" / "list.zip").unlink()
    server.content += b"more"
    with pytest.raises(FetchError, match="it was deleted"):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)


def test_a_changed_file_on_disk_is_noticed(wlasl, tmp_path):
    fetch.fetch("wlasl", tmp_path / "out", progress=False)
    (tmp_path / "out" / "list.zip").write_bytes(b"other")
    with pytest.raises(FetchError, match="remove it and run"):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)


def test_a_file_put_there_by_hand_is_taken(wlasl, server, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "list.zip").write_bytes(server.content)
    fetch.fetch("wlasl", tmp_path / "out", progress=False)
    assert server.asked == []
    assert (tmp_path / "out" / "WLASL_v0.3.json").is_file()


def test_two_fetches_into_one_folder_do_not_mix(wlasl, tmp_path):
    (tmp_path / "out").mkdir()
    with files.writing(tmp_path / "out" / fetch.RECORD), pytest.raises(BusyError):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)


def test_a_damaged_record_is_refused(wlasl, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / fetch.RECORD).write_text("{")
    with pytest.raises(ConfigError, match="remove it to download again"):
        fetch.fetch("wlasl", tmp_path / "out", progress=False)


@pytest.mark.parametrize("name", ["sem-lex", "asl-signs", "spreadthesign", "rwth-fs", "folder"])
def test_a_corpus_behind_a_form_says_how_to_get_it(name, tmp_path):
    with pytest.raises(ConfigError, match="cannot be fetched by a command"):
        fetch.fetch(name, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_an_unknown_download_is_refused_and_the_known_ones_are_named(tmp_path):
    with pytest.raises(ConfigError, match="there are videos, poses"):
        fetch.fetch("asl-citizen", tmp_path, only="sounds", progress=False)
