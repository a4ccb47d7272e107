"""Bring your own: a folder with ``manifest.csv`` and the ``.pose`` files that it names.

Decisions
* The CSV has exactly the columns the manifest asks of a corpus, and its ``split`` column
  (``train``, ``validation``, ``test``) is the official split.
* A row may name a video: the ``.pose`` of the same name beside it is read. Where that is missing
  the clip is dropped with the command that makes it, and a folder of nothing else is an error.
* One content on two sides of the split is an error, because its author can mend it; of a published
  corpus the later copy is dropped.

Cost: one pass over the files.
"""

from __future__ import annotations

from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, inside, named_rows
from signclip.corpora.manifest import GIVEN
from signclip.poses import reader

NAME = "folder"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

SPLITS = ("train", "validation", "test")


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds a manifest.csv."""
    return path if path is not None and (path / "manifest.csv").is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, videos without a pose) in the order of the CSV.

    Raises:
        ManifestError: the CSV is not UTF-8 text, a column is missing, a row has too few or too many
            fields, a path leaves the folder, a split is none of :data:`SPLITS`, or there are only
            videos without poses.
    """
    kept: list[Row] = []
    refused: list[Refused] = []
    for place, fields in named_rows(root / "manifest.csv", GIVEN):
        sample = fields["id"] or place
        if fields["split"] not in SPLITS:
            raise ManifestError(sample, f"split {fields['split']!r} is none of {', '.join(SPLITS)}")
        path = inside(root, fields["path"], sample=sample)
        if reader.is_video(path):
            pose = Path(path).with_suffix(".pose").as_posix()
            if not (root / pose).is_file():
                refused.append({"id": fields["id"], "path": path, "reason": reader.NO_POSE})
                continue
            path = pose
        kept.append({column: fields[column] for column in GIVEN} | {"path": path})
    if refused and not kept:
        first = root / refused[0]["path"]
        reason = f"all {len(refused)} clips are videos; {reader.needs_extraction(first)}"
        raise ManifestError(root, reason)
    return kept, refused
