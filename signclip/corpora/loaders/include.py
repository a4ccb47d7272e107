"""INCLUDE, word signs of Indian Sign Language, as poses of OpenHands.

Decisions
* The clips are those of ``train_include.csv`` and ``test_include.csv``; the pose has the path of
  its video with another suffix. Signers are not recorded.
* There is no official validation set: a tenth of each word's training clips is
  (:func:`signclip.corpora.reading.with_validation`).
* The number before a word (``4. Bird``) orders its category; the text is the word.

Cost: two tables and one listing of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import named_rows, only_file, row, with_validation
from signclip.poses.openhands import SUFFIX

LISTS = {split: f"{split}_include.csv" for split in ("train", "test")}
_NUMBER = re.compile(r"^\d+\.\s*")


def _poses(root: Path) -> dict[str, str]:
    """Every end of a pose's path -> its path: the archive may put folders before the category's."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob(f"*{SUFFIX}")):
        parts = path.relative_to(root).parts
        for start in range(len(parts)):
            found.setdefault("/".join(parts[start:]), "/".join(parts))
    return found


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """Training and test clips, each in the order of their table.

    Raises:
        ManifestError: a table is damaged.
    """
    there = _poses(root)
    kept: list[Row] = []
    for split, name in LISTS.items():
        table = named_rows(only_file(root, name), ("Category", "Word", "FilePath"))
        for place, fields in table:
            video = PurePosixPath(fields["FilePath"].strip())
            if not video.name:
                raise ManifestError(place, "FilePath is empty")
            pose = video.with_suffix(SUFFIX).as_posix()
            kept.append(
                row(
                    str(video.with_suffix("")),
                    there.get(pose, pose),
                    _NUMBER.sub("", fields["Word"].strip()),
                    sign_language="ins",
                    split=split,
                )
            )
    return with_validation(kept), []


LOADER = Loader(
    name="include", needs=(*(f"**/{name}" for name in LISTS.values()), "**/*.pkl"), rows=rows
)
