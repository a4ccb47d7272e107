"""Writing files so that a kill leaves either the old one or the new one, and hashing them.

Decision: everything is written under a temporary name in the same folder, flushed to disk and
renamed. Cost: one rename and one fsync a file, nothing next to producing it. A writer holds an
advisory lock (released by the kernel when the process dies, so a kill needs no cleaning up):
a killed ``dvc repro`` leaves its child alive, and two writers would otherwise mix their outputs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signclip.errors import BusyError

PARTIAL = ".partial"


def sha256_bytes(data: bytes) -> str:
    """Hex digest of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Hex digest of a file's content, read in blocks (flat in memory)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and a final newline: equal values give equal bytes.

    Raises:
        ValueError: a number is NaN or infinite (JSON has no such thing).
    """
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def fingerprint(value: Any) -> str:
    """Twelve hex digits that change when ``value`` (anything JSON can hold) changes."""
    return sha256_bytes(canonical_json(value).encode())[:12]


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path; rename it to ``path`` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces ``path`` when the block ends without an error.

    What a killed predecessor left under the temporary name is thrown away first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        old = path.with_name(f".{path.name}.old")
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
        BusyError: another live process holds it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # beside the output, not in it: DVC deletes a stage's outputs before it runs the stage
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"{path}: another process is writing it; wait for it or stop it first"
            ) from None
        yield
