"""Detecting changed bytes: every artefact of the pipeline records the hashes of its files.

Decisions
* A listing holds ``sha256``, file name -> digest: a folder's ``meta.json`` (corpora, stores,
  indexes), ``metrics.json`` (runs), or ``sha256.json`` (tables, figures, costs, points,
  predictions).
* A listing, and a JSON file without one beside it (a result), holds ``content_sha256``, the digest
  of the rest of its content.
* A cached embedding (``.npz``) is an archive, whose checksums are compared.
* DVC does not notice a changed byte in its own cache; this does.

Cost: reading every file once.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from signclip.core import files

LISTINGS = ("meta.json", "metrics.json", files.DIGESTS)
# An artefact without a listing beside it was tampered with or copied incompletely.
ARTEFACTS = ("manifest.parquet", "features.bin", "model.safetensors", "embeddings.npy")


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
            elif path.suffix == ".npz" and not listed:
                problems = _check_archive(path)
            elif path.name in ARTEFACTS and not listed:
                problems = iter([f"{path}: nothing beside it records its sha256"])
            else:
                continue
            checked += 1
            damaged += problems
    return checked, damaged


def _read(path: Path) -> dict:
    values = files.read_json(path)
    if not isinstance(values, dict):
        raise ValueError("not an object")
    return values


def _check_listing(path: Path) -> Iterator[str]:
    try:
        values = _read(path)
        listed = values["sha256"]
        if not isinstance(listed, dict):
            raise ValueError("sha256 lists no files")
    except (OSError, ValueError, KeyError) as error:
        yield f"{path}: damaged ({error!r})"
        return
    # listings of before they were sealed are still read
    if files.SEAL in values and not files.is_sealed(values):
        yield f"{path}: content differs from its recorded sha256"
    for changed in files.changed(path.parent, listed):
        yield f"{changed}: content differs from its recorded sha256"


def _check_sealed(path: Path) -> Iterator[str]:
    try:
        sealed = files.is_sealed(_read(path))
    except (OSError, ValueError) as error:
        yield f"{path}: damaged ({error!r})"
        return
    if not sealed:
        yield f"{path}: content differs from its recorded sha256"


def _check_archive(path: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        yield f"{path}: damaged ({error})"
        return
    if member is not None:
        yield f"{path}: damaged (the checksum of {member} differs)"
