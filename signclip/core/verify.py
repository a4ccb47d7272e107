"""Detecting changed bytes: every artefact of the pipeline records the hashes of its files.

Decision: a folder's ``meta.json`` (corpora, stores) or ``metrics.json`` (runs) holds ``sha256``,
file name -> digest; a result file holds ``content_sha256``, the digest of the rest of its content.
DVC does not notice a changed byte in its own cache; this does. Cost: reading every file once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from signclip.core import files

LISTINGS = ("meta.json", "metrics.json")
# An artefact without a listing beside it was tampered with or copied incompletely.
ARTEFACTS = ("manifest.parquet", "features.bin", "model.safetensors")


def verify(folders: Iterable[Path]) -> tuple[int, list[str]]:
    """Check every artefact below the folders: (number checked, problems found)."""
    checked = 0
    damaged: list[str] = []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            listed = any((path.parent / listing).is_file() for listing in LISTINGS)
            if path.name in LISTINGS:
                problems = _check_listing(path)
            elif path.suffix == ".json" and not listed:  # a run's tokenizer is listed, not sealed
                problems = _check_sealed(path)
            elif path.name in ARTEFACTS and not listed:
                problems = iter([f"{path}: nothing beside it records its sha256"])
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
