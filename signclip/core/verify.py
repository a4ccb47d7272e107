"""Finding changed bytes: every product of the pipeline lists the hashes of its files.

Decision: a folder's ``meta.json`` (corpora, stores) or ``metrics.json`` (runs) holds ``sha256``,
file name -> digest; a result file holds ``content_sha256``, the digest of its own other content.
DVC does not notice a changed byte in its own cache; this does. Cost: one read of everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from signclip.core import files

LISTINGS = ("meta.json", "metrics.json")
# A product without its listing is one that was tampered with or copied in part.
PRODUCTS = ("manifest.parquet", "features.bin", "model.safetensors")


def verify(folders: Iterable[Path]) -> tuple[int, list[str]]:
    """Check every product below the folders: (how many were checked, what is wrong with which)."""
    checked, damaged = 0, []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            listed = any((path.parent / listing).is_file() for listing in LISTINGS)
            if path.name in LISTINGS:
                problems = _check_listing(path)
            elif path.suffix == ".json" and not listed:  # a run's tokenizer is listed, not sealed
                problems = _check_sealed(path)
            elif path.name in PRODUCTS and not listed:
                problems = iter([f"{path}: nothing beside it says what it should be"])
            else:
                continue
            checked += 1
            damaged += problems
    return checked, damaged


def _read(path: Path) -> dict:
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("not an object")
    return values


def _check_listing(path: Path) -> Iterator[str]:
    try:
        listed = _read(path)["sha256"]
        if not isinstance(listed, dict):
            raise ValueError("sha256 lists no files")
    except (ValueError, KeyError) as error:
        yield f"{path}: damaged ({error!r})"
        return
    changed = files.first_changed(path.parent, listed)
    if changed is not None:
        yield f"{changed}: content differs from its recorded sha256"


def _check_sealed(path: Path) -> Iterator[str]:
    try:
        sealed = files.is_sealed(_read(path))
    except ValueError as error:
        yield f"{path}: damaged ({error!r})"
        return
    if not sealed:
        yield f"{path}: content differs from its recorded sha256"
