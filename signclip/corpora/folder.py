"""Bring your own: a folder with ``manifest.csv`` and the ``.pose`` files that it names.

Decision: the CSV has exactly the columns the manifest asks of a corpus, and its ``split`` column
(``train``, ``validation``, ``test``) is the official split. Cost: one pass over the files.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from signclip.errors import ManifestError
from signclip.manifest import GIVEN

NAME = "folder"
TITLE = "Your own clips: a folder with manifest.csv and .pose files"
LICENCE = "yours"
INSTRUCTIONS = (
    "Give the path of a folder with manifest.csv (columns "
    + ",".join(GIVEN)
    + "; paths relative to the folder; split one of train, validation, test): "
    "`signclip corpora build folder --path my-clips --out data/my-clips`."
)

SPLITS = ("train", "validation", "test")


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds a manifest.csv."""
    return path if path is not None and (path / "manifest.csv").is_file() else None


def rows(root: Path) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """(rows, no refused rows) in the order of the CSV.

    Raises:
        ManifestError: the CSV is not UTF-8 text, a column is missing, a row has too few or too many
            fields, a path leaves the folder, or a split is none of :data:`SPLITS`.
    """
    source = root / "manifest.csv"
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(source, f"not UTF-8 text ({error})") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for column in GIVEN:
        if column not in (reader.fieldnames or ()):
            raise ManifestError(
                source, f"column {column!r} is missing; a manifest has {', '.join(GIVEN)}"
            )
    kept = []
    for row in reader:
        sample = row["id"] or f"{source}, line {reader.line_num}"
        if None in row.values():
            raise ManifestError(sample, "the row has too few fields")
        if None in row:  # an unquoted comma moves every field behind it
            raise ManifestError(sample, "the row has too many fields")
        if row["split"] not in SPLITS:
            raise ManifestError(sample, f"split {row['split']!r} is none of {', '.join(SPLITS)}")
        if not (root / row["path"]).resolve().is_relative_to(root.resolve()):
            raise ManifestError(sample, f"path {row['path']!r} leaves the corpus folder")
        kept.append({column: row[column] for column in GIVEN})
    return kept, []
