"""Writing files so that a kill leaves either the old or the new one, locking outputs, and hashing.

Decisions
* Only regular files are read: a FIFO or a device would block, or never end.
* JSON is read with bounds on its size and depth, so that a hostile file is an error like any other.
* Everything is written under a temporary name in the same folder, flushed to disk and renamed.
* A writer holds an advisory lock beside its output (:mod:`filelock`). The kernel releases it when
  the process dies, so a kill leaves nothing to clean up. Locks are needed because a killed ``dvc
  repro`` leaves its child alive, and two writers would mix their outputs.

Cost: one rename and one fsync a file, negligible beside producing it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from signclip.core.errors import BusyError, ConfigError, SignCLIPError

if TYPE_CHECKING:
    import numpy as np

PARTIAL = ".partial"
# Of writing: no space, a quota, a limit on the size of files, a file system that became read-only.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
MAX_JSON = 256 << 20  # bytes; a result of half a million clips has 30 MB


class NotReadable(OSError):
    """A file's content cannot be had; its text and ``strerror`` are the reason alone."""

    def __init__(self, reason: str):
        super().__init__(errno.EIO, reason)

    def __str__(self) -> str:
        return str(self.strerror)


def stand_in(head: bytes) -> str | None:
    """What a download left in place of the wanted file, and what to do; None: nothing known.

    Args:
        head: the first bytes of the file.
    """
    start = head[:512].lstrip().lower()
    if start.startswith(b"version https://git-lfs.github.com/"):
        return "a pointer of Git LFS, not the file itself: fetch it with `git lfs pull`"
    if start.startswith(b"/annex/objects/") or b".git/annex/objects/" in start:
        return "a pointer of git-annex, not the file itself: fetch it with `git annex get`"
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "a web page, such as a form to sign in, not the file itself: download it again"
    return None


@contextmanager
def _reasons_of_reading() -> Iterator[None]:
    """Errors of the system become :class:`NotReadable`."""
    try:
        yield
    except NotReadable:
        raise
    except OSError as error:
        raise NotReadable(error.strerror or str(error)) from None
    except ValueError as error:  # a NUL or a lone surrogate: no file can have such a name
        raise NotReadable(str(error)) from None


def _regular_size(path: Path | str) -> int:
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise NotReadable("it is a folder")
    if not stat.S_ISREG(found.st_mode):  # opening it could wait for ever
        raise NotReadable("not a regular file, but a pipe, a socket or a device")
    return found.st_size


def stand_in_at(path: Path | str) -> str | None:
    """:func:`stand_in` of a file that is not read as a whole.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return stand_in(file.read(512))


def check_regular(path: Path | str) -> int:
    """The size of a regular file, in bytes.

    Raises:
        NotReadable: it is missing, no regular file, or may not be read.
    """
    with _reasons_of_reading():
        size = _regular_size(path)
        with open(path, "rb"):
            return size


def read_regular(path: Path | str, *, at_most: int) -> bytes:
    """The content of a regular file.

    Args:
        at_most: bytes.

    Raises:
        NotReadable: it is missing, no regular file, larger, or cannot be read.
    """
    with _reasons_of_reading():
        size = _regular_size(path)
        if size > at_most:
            raise NotReadable(f"{size:,} bytes, at most {at_most:,} are read")
        return Path(path).read_bytes()


def read_json(path: Path | str) -> Any:
    """The value of a JSON file.

    Raises:
        NotReadable: see :func:`read_regular`.
        ValueError: see :func:`parse_json`.
    """
    return parse_json(read_regular(path, at_most=MAX_JSON))


def parse_json(data: bytes) -> Any:
    """The value of a JSON file's content.

    Raises:
        ValueError: it is not JSON in UTF-8, nested too deeply, or holds a number that is not
            finite.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number of JSON")

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_hidden(path: PurePath) -> bool:
    """Is a relative path, or a folder on its way, hidden or left by an archiver of macOS?"""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def as_text(path: Path | str) -> str:
    """A path as text that can be written as UTF-8; other bytes become escapes like ``\\xff``."""
    name = os.fspath(path).encode("utf-8", "surrogateescape")  # of any encoding of file names
    return name.decode("utf-8", "backslashreplace")


def sha256_bytes(data: bytes) -> str:
    """Hex digest of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Hex digest of a file's content, read in blocks (constant memory)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and a final newline: equal values give equal bytes.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot express.
    """
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def changed(folder: Path, digests: Mapping[str, str]) -> Iterator[Path]:
    """The listed files that are missing or differ from their recorded digests."""
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != digest:
            yield path


SEAL = "content_sha256"


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest of all other values."""
    content = {key: value for key, value in values.items() if key != SEAL}
    return content | {SEAL: sha256_bytes(canonical_json(content).encode())}


def sealed_json(values: Mapping[str, Any]) -> str:
    """The text of a sealed file: :func:`canonical_json` of :func:`sealed` values."""
    return canonical_json(sealed(values))


def is_sealed(values: Mapping[str, Any]) -> bool:
    """Is the digest present, and that of exactly this content?"""
    return SEAL in values and sealed(values) == values


DIGESTS = "sha256.json"


def record_digests(paths: Sequence[Path]) -> None:
    """Record files in ``sha256.json`` of their folders, for ``signclip verify``.

    Entries of other files stay; a record that is damaged is begun anew.
    """
    of_folder: dict[Path, list[Path]] = {}
    for path in paths:
        of_folder.setdefault(path.parent, []).append(path)
    for folder, here in of_folder.items():
        record = folder / DIGESTS
        try:
            known = read_json(record)["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            known = {}
        known = {name: digest for name, digest in known.items() if (folder / name).is_file()}
        new = {path.name: sha256_file(path) for path in here}
        write_text(record, sealed_json({"sha256": known | new}))


def fingerprint(value: Any) -> str:
    """Twelve hex digits that change when ``value`` (anything JSON can express) changes."""
    return sha256_bytes(canonical_json(value).encode())[:12]


def fingerprint_columns(columns: Mapping[str, list]) -> str:
    """:func:`fingerprint` of a mapping of plain lists, five times as fast on half a million rows.

    Python writes indented JSON with its slow encoder. Here the fast encoder writes each list, with
    the line breaks of indentation as separators; so the text, and its digest, are the same.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n  ", ": "))
    digest = hashlib.sha256(b"{")
    for number, name in enumerate(sorted(columns)):
        values = columns[name]
        items = f"[\n  {encoder.encode(values)[1:-1]}\n ]" if values else "[]"
        digest.update(f"{',' if number else ''}\n {encoder.encode(name)}: {items}".encode())
    digest.update(b"\n}\n" if columns else b"}\n")
    return digest.hexdigest()[:12]


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _place(path: Path) -> Iterator[None]:
    """Create the folder of an output; errors of the block become a :class:`ConfigError`."""
    if path.name in ("", ".."):
        raise ConfigError(f"{str(path)!r}: not the name of something to write; give one")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be written ({reason})") from None


def remove(path: Path | str) -> None:
    """Delete a file, if it is there.

    Raises:
        ConfigError: it cannot be deleted, such as in a read-only folder.
    """
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be removed ({error.strerror or error})") from None


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """A full disk, or a limit on the size of files, becomes a :class:`ConfigError` with the path.

    Libraries raise types of their own for it, some with the system's error in their text or behind
    them. Others write files of their own, such as MMEngine its log, so that a training is wrapped
    as a whole.

    Args:
        path: the output, or the folder that it lies in.
    """
    try:
        yield
    except SignCLIPError:
        raise
    except Exception as error:
        chain: BaseException | None = error
        while chain is not None:
            for number in DISK_ERRORS:
                if getattr(chain, "errno", None) == number or os.strerror(number) in str(chain):
                    raise ConfigError(
                        f"{path}: cannot be written ({os.strerror(number)})"
                    ) from None
            chain = chain.__cause__ or chain.__context__
        raise


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path; rename it to ``path`` when the block ends without an error.

    Raises:
        ConfigError: (before the block runs) nothing can be written there, or it is a folder;
            (in the block) the disk is full.
    """
    path = Path(path)
    partial = path.parent / f".{path.name}{PARTIAL}"
    with _place(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        partial.unlink(missing_ok=True)
    try:
        with full_disk_named(path):
            yield partial
            _flush(partial)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces ``path`` when the block ends without an error.

    What a killed process left under the temporary name is deleted first; if it was killed between
    the two renames, its old folder is restored.

    Raises:
        ConfigError: (before the block runs) nothing can be written there, or it is a file;
            (in the block) the disk is full.
    """
    path = Path(path)
    partial, old = path.parent / f".{path.name}{PARTIAL}", path.parent / f".{path.name}.old"
    with _place(path):
        if old.exists() and not path.exists():
            os.replace(old, path)
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(None, "it is a file")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    try:
        with full_disk_named(path):
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    _flush(file)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            os.replace(path, old)
        os.replace(partial, path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed ``.npz`` atomically; equal arrays give equal bytes.

    The archive is made in memory: one that cannot be written to disk as it grows would try to
    finish itself when it is deleted, which ends in a traceback.
    """
    import numpy as np

    buffer = BytesIO()
    np.savez(buffer, **arrays)
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Hold the lock of an output (a file or a folder) while it is written.

    Raises:
        BusyError: another live process, or this one, holds it.
        ConfigError: nothing can be written there.
    """
    path = Path(path)
    # beside the output, not in it: DVC deletes a stage's outputs before it runs the stage
    lock_file = path.parent / f".{path.name}.lock"
    lock = FileLock(lock_file, thread_local=False)
    with _place(path):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise BusyError(
                f"{path}: another process is writing it; wait for it or stop it first"
            ) from None
    try:
        yield
    finally:
        lock_file.unlink(missing_ok=True)  # while it is held: FileLock notices a deleted file
        lock.release()
