"""ASL Citizen with its official splits, which share no signer.

Decision: columns are taken by position (signer, video file, gloss), as in the authors' code; the id
of a clip is the name of its video. Glosses stay raw (WOMAN1) unless cleaning is requested. Cost:
three tables.
"""

from __future__ import annotations

import string
from pathlib import Path, PurePosixPath

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import SPLIT_NAMES, plain_rows, pose_or_video, row

ARCHIVE = "ASL_Citizen"  # the folder that its archive unpacks to


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """Training, validation and test clips, each in the order of their table."""
    kept: list[Row] = []
    for subset, split in SPLIT_NAMES.items():
        table = plain_rows(root / ARCHIVE / "splits" / f"{subset}.csv", 3)
        for place, (signer, video, gloss, *_) in table:
            if not PurePosixPath(video).name:
                raise ManifestError(place, f"column 2 is {video!r}, not the name of a video")
            stem = str(PurePosixPath(video).with_suffix(""))
            path = pose_or_video(root, f"poses/{stem}.pose", f"{ARCHIVE}/videos")
            kept.append(row(stem, path, gloss, signer=signer, split=split))
    return kept, []


def clean_gloss(gloss: str) -> str:
    """Lower case, without the number that distinguishes the signs of one word: WOMAN1 -> woman."""
    return gloss.strip().lower().rstrip(string.digits).strip()


LOADER = Loader(
    name="asl-citizen",
    needs=tuple(f"{ARCHIVE}/splits/{subset}.csv" for subset in SPLIT_NAMES),
    rows=rows,
    clean_gloss=clean_gloss,
)
