"""Your own clips: a folder with ``manifest.csv`` and the ``.pose`` files that it names.

Decisions
* The CSV has exactly the columns that the manifest requires of a corpus, and its ``split`` column
  (``train``, ``validation``, ``test``) is the official split.
* A row may name a video: the ``.pose`` of the same name beside it is read. A video without one is
  dropped with the command that makes it; a folder with nothing else is an error.
* The same content in two sets of the split is an error, because the author of the folder can
  correct it; in a published corpus the later copy is dropped.

Cost: one look at each file.
"""

from __future__ import annotations

import os
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.manifest import GIVEN
from signclip.corpora.reading import named_rows
from signclip.poses import reader

TABLE = "manifest.csv"
SPLITS = ("train", "validation", "test")


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips and the videos without a pose, in the order of the CSV.

    Raises:
        ManifestError: the CSV is not UTF-8 text, a column is missing, a row has too few or too many
            fields, a split is none of :data:`SPLITS`, or all clips are videos without poses.
    """
    kept: list[Row] = []
    refused: list[Refused] = []
    for place, fields in named_rows(root / TABLE, GIVEN):
        sample = fields["id"] or place
        if fields["split"] not in SPLITS:
            raise ManifestError(sample, f"split {fields['split']!r} is none of {', '.join(SPLITS)}")
        path = fields["path"]
        if reader.is_video(path):
            pose = Path(path).with_suffix(".pose").as_posix()
            if not os.path.isfile(root / pose):
                refused.append({"id": fields["id"], "path": path, "reason": reader.NO_POSE})
                continue
            path = pose
        kept.append({column: fields[column] for column in GIVEN} | {"path": path})
    if refused and not kept:
        first = root / refused[0]["path"]
        reason = f"all {len(refused)} clips are videos; {reader.needs_extraction(first)}"
        raise ManifestError(root, reason)
    return kept, refused


LOADER = Loader(name="folder", needs=(TABLE,), rows=rows, refuse_leaks=True)
