"""Writing files so that a kill leaves either the old one or the new one, and hashing them.

Decision: everything is written under a temporary name in the same folder, flushed to disk and
renamed. Cost: one rename and one fsync a file, nothing next to producing it. A writer holds an
advisory lock (released by the kernel when the process dies, so a kill needs no cleaning up):
a killed ``dvc repro`` leaves its child alive, and two writers would otherwise mix their outputs.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from signclip.core.errors import BusyError, ConfigError

PARTIAL = ".partial"


def as_text(path: Path | str) -> str:
    """A path as text that can be written as UTF-8; bytes that are none become ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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


def first_changed(folder: Path, digests: Mapping[str, str]) -> Path | None:
    """The first of the listed files that is missing or whose content is not the recorded one."""
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != digest:
            return path
    return None


def sha256_code(path: Path | str) -> str:
    """Hex digest of what a Python file does: comments, docstrings and layout do not count."""
    return _sha256_source(Path(path).read_text(encoding="utf-8"))


@lru_cache(maxsize=256)  # whoever has many runs asks for the same files again
def _sha256_source(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None  # a docstring, or another constant that does nothing
    return sha256_bytes(ast.dump(tree).encode())


SEAL = "content_sha256"


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the digest of all the others added."""
    content = {key: value for key, value in values.items() if key != SEAL}
    return content | {SEAL: sha256_bytes(canonical_json(content).encode())}


def is_sealed(values: Mapping[str, Any]) -> bool:
    """Is the digest there, and of just this content?"""
    return SEAL in values and sealed(values) == values


def fingerprint(value: Any) -> str:
    """Twelve hex digits that change when ``value`` (anything JSON can hold) changes."""
    return sha256_bytes(canonical_json(value).encode())[:12]


def fingerprint_columns(columns: Mapping[str, list]) -> str:
    """:func:`fingerprint` of a mapping of plain lists, five times as fast (half a million rows).

    Indented JSON is written by Python's slow encoder. Here its fast one writes each list, with the
    line breaks that indentation would put between the items: the text, so the digits, are the same.
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
    """Make the folder of an output; while the block prepares it, errors are the place's fault."""
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
        ConfigError: before the block: nothing can be written there, or there is a folder.
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

    What a killed predecessor left under the temporary name is thrown away first; where it was
    killed between the two renames, its old folder is put back.

    Raises:
        ConfigError: before the block: nothing can be written there, or there is a file.
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


def _is_at(file: IO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Hold the lock of an output (a file or a folder) while it is written.

    Raises:
        BusyError: another live process holds it.
        ConfigError: nothing can be written there.
    """
    path = Path(path)
    # beside the output, not in it: DVC deletes a stage's outputs before it runs the stage
    name = path.parent / f".{path.name}.lock"
    while True:
        with _place(path):
            opened = open(name, "w")  # noqa: SIM115  closed by the next block
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"{path}: another process is writing it; wait for it or stop it first"
                ) from None
            if not _is_at(lock, name):  # its last holder removed it between our two calls
                continue
            try:
                yield
            finally:
                name.unlink()
            return
