"""Downloading what can be had without a form: resumable, checksummed, safely unpacked.

Decisions
* A file is written as ``<name>.part`` and renamed when it is whole. A download that broke off goes
  on where it stopped, if the server still has the same file (its ETag or date is kept beside it).
* Few corpora publish checksums. The published one must fit; where there is none, the sha256 of what
  came is kept in ``fetched.json`` and a later fetch must get the same.
* Archives are unpacked file by file, each under a temporary name first. No path may leave the
  folder, and links are refused. What is there with its full size is not unpacked again.
* A failure says what to do by hand; the same command then goes on from there.

Cost: the network's; unpacking needs the archive and its content on disk side by side.
"""

from __future__ import annotations

import errno
import http.client
import json
import lzma
import os
import shutil
import stat
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from signclip.core import files
from signclip.core.errors import ConfigError, FetchError
from signclip.core.progress import bar
from signclip.corpora.catalogue import Download, about

RECORD = "fetched.json"
ATTEMPTS, PAUSE_SECONDS, TIMEOUT_SECONDS = 4, 2.0, 60.0
_BLOCK = 1 << 20
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # no use in trying again
_MAKE_ROOM = "make room on the disk, or choose another one, and run the same command again"
_ARCHIVE_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, NotImplementedError),  # encrypted, or packed in an unknown way
)


def fetch(name: str, to: Path, *, only: str | None = None, progress: bool = True) -> list[Path]:
    """Download and unpack a corpus's files into ``to``; returns the downloaded files.

    Args:
        only: the name of one of its downloads.

    Raises:
        ConfigError: nothing of this corpus can be had without a form, or not ``only``.
        FetchError: the network, the server, the disk or the content failed.
        BusyError: another process fetches into this folder.
    """
    corpus = about(name)
    chosen = [row for row in corpus.downloads if only in (None, row.name)]
    if not corpus.downloads:
        raise ConfigError(f"{name} cannot be fetched by a command. {corpus.instructions}")
    if not chosen:
        names = ", ".join(row.name for row in corpus.downloads)
        raise ConfigError(f"{name} has no download {only!r}; there are {names}")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{to} cannot be made a folder ({error.strerror})") from None
    with files.writing(to / RECORD):
        return [_fetch_one(row, to, progress=progress) for row in chosen]


def _fetch_one(row: Download, to: Path, *, progress: bool) -> Path:
    path = to / row.file
    recorded = _record(to)
    expected = row.sha256 or recorded.get(row.file, {}).get("sha256")
    if not path.is_file():
        part = download(row.url, path, progress=progress)
        digest = files.sha256_file(part)
        if expected is not None and digest != expected:
            part.unlink()
            reason = f"its sha256 is {digest}, expected {expected}; it was thrown away"
            raise FetchError(row.url, reason, _by_hand(row.url, path))
        os.replace(part, path)
    else:  # put there by hand, or by an earlier run
        digest = files.sha256_file(path)
        if expected is not None and digest != expected:
            reason = f"the file has the sha256 {digest}, expected {expected}"
            raise FetchError(path, reason, "remove it and run the same command again")
    entry = {"url": row.url, "sha256": digest, "bytes": path.stat().st_size}
    files.write_text(to / RECORD, files.canonical_json(recorded | {row.file: entry}))
    if row.unpack:
        unpack(path, to, progress=progress)
    return path


def _by_hand(url: str, path: Path) -> str:
    return f"download {url} to {path} and run the same command again"


def _record(to: Path) -> dict[str, Any]:
    path = to / RECORD
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); remove it to fetch anew") from None


# Downloading


def download(url: str, path: Path, *, progress: bool = True) -> Path:
    """Download into ``<path>.part``, going on where an earlier download stopped; returns that path.

    Raises:
        FetchError: it failed for good; what has come stays for the next attempt.
    """
    part = path.with_name(f"{path.name}.part")
    failures, problem = 0, ""
    while failures < ATTEMPTS:
        time.sleep(PAUSE_SECONDS * failures)
        before = _size(part)
        try:
            _download_rest(url, part, progress=progress)
            return part
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 416, 429):
                break
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", "") or error) or type(error).__name__
            if getattr(error, "errno", None) in _DISK_ERRORS:
                break
        failures = 1 if _size(part) > before else failures + 1
    raise FetchError(url, problem, _by_hand(url, path))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _download_rest(url: str, part: Path, *, progress: bool) -> None:
    """One attempt.

    Raises:
        OSError, http.client.HTTPException: it broke off.
    """
    version = part.with_name(f"{part.name}.version")  # what the server called the file
    done = _size(part)
    known = version.read_text(encoding="utf-8") if version.is_file() else ""
    request = urllib.request.Request(url, headers={"User-Agent": "signclip"})
    if done and known:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", known)  # another file by now: the server sends all of it
    else:
        done = 0
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{done}":
            version.unlink(missing_ok=True)
            return  # nothing is left to send
        if error.code == 416:  # it cannot go on from there: the next attempt starts anew
            version.unlink(missing_ok=True)
        raise
    with response:
        if response.status != 206:
            done = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            version.unlink(missing_ok=True)  # the next attempt starts anew
            raise ConnectionError("the server sent another part than was asked for")
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        tag = response.headers.get("ETag") or ""
        if tag.startswith("W/"):  # a weak one does not say that the bytes are the same
            tag = ""
        name = tag or response.headers.get("Last-Modified") or ""
        if not done:  # first, so that a kill in between leaves no old bytes under a new name
            part.unlink(missing_ok=True)
        files.write_text(version, name)
        shown = bar(
            total=total,
            initial=done,
            desc=part.stem,
            unit="B",
            unit_scale=True,
            disable=not progress,
        )
        with open(part, "ab" if done else "wb") as file, shown:
            while block := response.read(_BLOCK):
                file.write(block)
                shown.update(len(block))
                done += len(block)
    if total is not None and done != total:
        raise ConnectionError(f"broke off after {done} of {total} bytes")
    version.unlink(missing_ok=True)


# Unpacking


def unpack(archive: Path, to: Path, *, progress: bool = True) -> int:
    """Unpack a zip or tar archive into a folder; returns how many files it holds.

    Raises:
        FetchError: it is damaged, holds a link, a device or a path that leaves the folder, or the
            disk has no room for it. Nothing is written before all its paths are checked.
    """
    root, own = to.resolve(), (archive.resolve(), (to / RECORD).resolve())
    with _opened(archive) as (members, read):
        for name, _, regular in members:
            reason = ""
            target = root if "\0" in name else (to / name).resolve()
            if not regular:
                reason = "is neither file nor folder"
            elif not target.is_relative_to(root) or target == root:
                reason = "leaves the folder"
            elif target in own:
                reason = "would replace a file of this command"
            if reason:
                raise _bad(archive, f"its member {name!r} {reason}; nothing was unpacked")
        sizes = {name: size for name, size, _ in members}  # of a name that is twice: the last
        missing = [
            (name, size)
            for name, size in sizes.items()
            if not (to / name).is_file() or _size(to / name) != size
        ]
        need, free = sum(size for _, size in missing), shutil.disk_usage(to).free
        if need > free:
            reason = f"its content needs {need:,} bytes, the disk has {free:,}"
            raise FetchError(archive, reason, _MAKE_ROOM)
        label = f"unpacking {archive.name}"
        for name, size in bar(missing, desc=label, unit="file", disable=not progress):
            _unpack_file(archive, name, size, read, to / name)
    return len(sizes)


def _bad(archive: Path, reason: str) -> FetchError:
    return FetchError(archive, reason, "remove it and run the same command again")


def _unpack_file(
    archive: Path, name: str, size: int, read: Callable[[str], IO[bytes]], target: Path
) -> None:
    """Write one member; a killed process leaves it under its temporary name, never half."""
    partial = target.with_name(f".{target.name}{files.PARTIAL}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file, read(name) as source:
            # not more than a block beyond what is told, whatever it inflates to
            while file.tell() <= size and (block := source.read(_BLOCK)):
                file.write(block)
            if file.tell() != size:
                raise _bad(archive, f"its member {name!r} is not as long as it says")
        os.replace(partial, target)
    except _ARCHIVE_ERRORS as error:
        reason = f"its member {name!r} cannot be unpacked ({error})"
        if getattr(error, "errno", None) in _DISK_ERRORS:  # the archive is as good as before
            raise FetchError(archive, reason, _MAKE_ROOM) from None
        raise _bad(archive, reason) from None
    finally:
        partial.unlink(missing_ok=True)


Members = list[tuple[str, int, bool]]  # path, bytes, is it a regular file?


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Members, Callable[[str], IO[bytes]]]]:
    """(members without folders, function that opens one)."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                infos = [info for info in zipped.infolist() if not info.is_dir()]
                yield [(i.filename, i.file_size, _is_file(i)) for i in infos], zipped.open
            return
        with tarfile.open(archive) as tarred:
            members = [member for member in tarred if not member.isdir()]
            by_name = {member.name: member for member in members}  # tarfile would search them all

            def read(name: str) -> IO[bytes]:
                found = tarred.extractfile(by_name[name])
                assert found is not None, name  # checked: a regular file
                return found

            yield [(m.name, m.size, m.isreg()) for m in members], read
    except _ARCHIVE_ERRORS as error:
        raise _bad(archive, f"not a whole zip or tar archive ({error})") from None


def _is_file(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0: made on a system without such kinds
    return kind in (0, stat.S_IFREG)
