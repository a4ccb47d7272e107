"""ASL Citizen with its official splits, which share no signer.

Decision: columns are taken by position (signer, video file, gloss), as the reference does; a clip's
id is its video's name. Glosses stay raw (WOMAN1) unless cleaning is asked for. Cost: three tables.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from signclip.core.errors import ManifestError
from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import (
    SPLIT_NAMES,
    Refused,
    Row,
    inside,
    plain_rows,
    pose_or_video,
    row,
)

NAME = "asl-citizen"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

ARCHIVE = "ASL_Citizen"  # the folder that its archive unpacks to


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds ASL_Citizen/splits."""
    if path is None:
        return None
    there = (path / ARCHIVE / "splits" / f"{side}.csv" for side in SPLIT_NAMES)
    return path if all(table.is_file() for table in there) else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows): training, validation, test, each in its table's order.

    Raises:
        ManifestError: a table is damaged, or a path leaves the folder.
    """
    kept: list[Row] = []
    for side, split in SPLIT_NAMES.items():
        table = plain_rows(root / ARCHIVE / "splits" / f"{side}.csv", 3)
        for place, (signer, video, gloss, *_) in table:
            if not PurePosixPath(video).name:
                raise ManifestError(place, f"names no video, but {video!r}")
            stem = str(PurePosixPath(video).with_suffix(""))
            pose = inside(root, f"poses/{stem}.pose", sample=place)
            path = pose_or_video(root, pose, f"{ARCHIVE}/videos")
            kept.append(row(stem, path, gloss, signer=signer, split=split))
    return kept, []
