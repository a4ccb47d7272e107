"""Downloading the files that need no form: resumable and checked.

Decisions
* A file is written as ``<name>.part`` and renamed when it is complete. An interrupted download
  resumes where it stopped, if the server still has the same file (its ETag or date is stored
  beside the part). Corpora have tens of gigabytes, and no download library at hand resumes.
* Few corpora publish checksums. A published one must match; without one, the sha256 of the first
  download is recorded in ``fetched.json``, and a later download must match that.
* A failure says what to do by hand; the same command then continues from there.
* The environment variable ``SIGNCLIP_MIRROR`` names a mirror for machines that reach only that: a
  file is then ``<mirror>/<corpus>/<file>``, with the names of the catalogue.

Cost: that of the network, and of unpacking (:mod:`signclip.corpora.unpack`).
"""

from __future__ import annotations

import http.client
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signclip.core import files
from signclip.core.errors import ConfigError, FetchError
from signclip.core.progress import bar
from signclip.corpora.catalogue import Download, about
from signclip.corpora.unpack import BLOCK, DISK_ERRORS, unpack

RECORD = "fetched.json"
MIRROR = "SIGNCLIP_MIRROR"
CONNECT_SECONDS = 5.0
ATTEMPTS, PAUSE_SECONDS, TIMEOUT_SECONDS = 4, 2.0, 60.0


def fetch(name: str, to: Path, *, only: str | None = None, progress: bool = True) -> list[Path]:
    """Download and unpack the files of a corpus into ``to``; returns the downloaded files.

    Args:
        name: of a loader.
        only: the name of one of its downloads.

    Raises:
        ConfigError: this corpus has no download without a form, or none called ``only``.
        FetchError: the network, the server, the disk or the content failed.
        BusyError: another process downloads into this folder.
    """
    corpus = about(name)
    chosen = [row for row in corpus.downloads if only in (None, row.name)]
    if not corpus.downloads:
        raise ConfigError(f"{name} cannot be fetched by a command. {corpus.instructions()}")
    if not chosen:
        names = ", ".join(row.name for row in corpus.downloads)
        raise ConfigError(f"{name} has no download {only!r}; there are {names}")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{to}: cannot make this folder ({error.strerror})") from None
    with files.writing(to / RECORD):
        return [_fetch_one(name, row, to, progress=progress) for row in chosen]


def address(name: str, row: Download) -> str:
    """Where a file of a corpus is downloaded from: its own address, or that of the mirror."""
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    return f"{mirror}/{name}/{row.file}" if mirror else row.url


def unreachable(name: str) -> str:
    """Why the servers of a corpus's downloads cannot be reached; empty: they can be.

    Takes at most :data:`CONNECT_SECONDS` a server, and downloads nothing.
    """
    servers: dict[str, urllib.parse.SplitResult] = {}
    for row in about(name).downloads:
        parts = urllib.parse.urlsplit(address(name, row))
        servers.setdefault(parts.netloc, parts)
    for parts in servers.values():
        try:
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            with socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS):
                pass
        except (OSError, ValueError, KeyError) as error:
            return f"{parts.hostname or parts.geturl()} cannot be reached ({error})"
    return ""


def is_complete(name: str, folder: Path) -> bool:
    """Were all files of a corpus fetched into this folder by an earlier command?"""
    recorded = _record(folder)
    return all(
        row.file in recorded and (folder / row.file).is_file() for row in about(name).downloads
    )


def _fetch_one(name: str, row: Download, to: Path, *, progress: bool) -> Path:
    path, url = to / row.file, address(name, row)
    recorded = _record(to)
    expected = row.sha256 or recorded.get(row.file, {}).get("sha256")
    if not path.is_file():
        part = download(url, path, progress=progress)
        digest = files.sha256_file(part)
        if expected is not None and digest != expected:
            part.unlink()
            reason = f"its sha256 is {digest}, expected {expected}; it was deleted"
            raise FetchError(url, reason, _by_hand(url, path))
        os.replace(part, path)
    else:  # downloaded by hand, or by an earlier run
        digest = files.sha256_file(path)
        if expected is not None and digest != expected:
            reason = f"the file has the sha256 {digest}, expected {expected}"
            raise FetchError(path, reason, "remove it and run the same command again")
    if row.unpack:
        unpack(path, to, protected=(to / RECORD,), progress=progress)
    # last: what cannot be unpacked must not be what a later download has to equal
    entry = {"url": url, "sha256": digest, "bytes": path.stat().st_size}
    files.write_text(to / RECORD, files.canonical_json(recorded | {row.file: entry}))
    return path


def _by_hand(url: str, path: Path) -> str:
    return f"download {url} to {path} and run the same command again"


def _record(to: Path) -> dict[str, dict[str, Any]]:
    """What was downloaded before: file -> url, sha256, bytes."""
    path = to / RECORD
    if not path.is_file():
        return {}
    try:
        found = files.read_json(path)
        for entry in found.values():
            if not isinstance(entry["sha256"], str):
                raise ValueError("a sha256 is no text")
        return dict(found)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ConfigError(f"{path}: damaged ({error}); remove it to download again") from None


def download(url: str, path: Path, *, progress: bool = True) -> Path:
    """Download into ``<path>.part``, resuming an earlier download; returns that path.

    Raises:
        FetchError: it failed; the part that was received stays for the next command.
    """
    part = path.with_name(f"{path.name}.part")
    failures, problem, resumed = 0, "", False
    while failures < ATTEMPTS:
        time.sleep(PAUSE_SECONDS * failures)
        before = _size(part)
        try:
            with _requested(url, part) as (response, done):
                resumed = done > 0
                _receive(response, part, done, progress=progress)
            return part
        except _Complete:
            return part
        except urllib.error.HTTPError as error:
            problem = f"the server replied {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 416, 429):
                break
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", "") or error) or type(error).__name__
            if getattr(error, "errno", None) in DISK_ERRORS:
                break
        # a server that starts anew each time may break off a little later for ever
        grown = _size(part) > before and (resumed or not before)
        failures, resumed = 1 if grown else failures + 1, False
    raise FetchError(url, problem, _by_hand(url, path))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


class _Complete(Exception):
    """The part is the whole file already."""


def _version(part: Path) -> Path:
    """The file that keeps the server's ETag or date of a part."""
    return part.with_name(f"{part.name}.version")


@contextmanager
def _requested(url: str, part: Path) -> Iterator[tuple[Any, int]]:
    """The server's response to one attempt, and the bytes of the part that it continues.

    Raises:
        _Complete: there is nothing left to send.
        OSError, http.client.HTTPException: it was refused or interrupted.
    """
    version, done = _version(part), _size(part)
    known = version.read_text(encoding="utf-8") if version.is_file() else ""
    request = urllib.request.Request(url, headers={"User-Agent": "signclip"})
    if done and known:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", known)  # if the file changed, the server sends all of it
    else:
        done = 0
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{done}":
            version.unlink(missing_ok=True)
            raise _Complete from None
        if error.code == 416:  # it cannot resume from there: the next attempt starts again
            version.unlink(missing_ok=True)
        raise
    with response:
        if response.status != 206:
            done = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            version.unlink(missing_ok=True)  # the next attempt starts again
            raise ConnectionError("the server sent another part than requested")
        yield response, done


def _receive(response: Any, part: Path, done: int, *, progress: bool) -> None:
    """Write what a response sends.

    Raises:
        OSError, http.client.HTTPException: it was interrupted.
    """
    length = response.headers.get("Content-Length")
    if length is not None and not length.strip().isdecimal():
        raise ConnectionError(f"the server states a length of {length!r}")
    total = done + int(length) if length else None
    tag = response.headers.get("ETag") or ""
    if tag.startswith("W/"):  # a weak one does not promise the same bytes
        tag = ""
    current = tag or response.headers.get("Last-Modified") or ""
    if not done:  # first, so that a kill in between leaves no old bytes with a new version
        part.unlink(missing_ok=True)
    files.write_text(_version(part), current)
    progress_bar = bar(
        total=total,
        initial=done,
        desc=part.stem,
        unit="B",
        unit_scale=True,
        disable=not progress,
    )
    with open(part, "ab" if done else "wb") as file, progress_bar:
        while block := response.read(BLOCK):
            file.write(block)
            progress_bar.update(len(block))
            done += len(block)
    if total is not None and done != total:
        raise ConnectionError(f"interrupted after {done} of {total} bytes")
    _version(part).unlink(missing_ok=True)
