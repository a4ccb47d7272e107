"""Writing files so that a kill leaves either the old or the new one, locking outputs, and hashing.

Decisions
* Everything is written under a temporary name in the same folder, flushed to disk and renamed.
* A writer holds an advisory lock beside its output (:mod:`filelock`). The kernel releases it when
  the process dies, so a kill leaves nothing to clean up. Locks are needed because a killed ``dvc
  repro`` leaves its child alive, and two writers would mix their outputs.

Cost: one rename and one fsync a file, negligible beside producing it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from signclip.core.errors import BusyError, ConfigError

PARTIAL = ".partial"


def as_text(path: Path | str) -> str:
    """A path as text that can be written as UTF-8; other bytes become escapes like ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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


def first_changed(folder: Path, digests: Mapping[str, str]) -> Path | None:
    """The first of the listed files that is missing or differs from its recorded digest."""
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != digest:
            return path
    return None


SEAL = "content_sha256"


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest of all other values."""
    content = {key: value for key, value in values.items() if key != SEAL}
    return content | {SEAL: sha256_bytes(canonical_json(content).encode())}


def is_sealed(values: Mapping[str, Any]) -> bool:
    """Is the digest present, and that of exactly this content?"""
    return SEAL in values and sealed(values) == values


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


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path; rename it to ``path`` when the block ends without an error.

    Raises:
        ConfigError: (before the block runs) nothing can be written there, or it is a folder.
    """
    path = Path(path)
    partial = path.parent / f".{path.name}{PARTIAL}"
    with _place(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        partial.unlink(missing_ok=True)
    try:
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
        ConfigError: (before the block runs) nothing can be written there, or it is a file.
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
