"""PopSign ASL v1.0: folders ``{train,val,test}/<sign>/<clip>.pose``, made from its videos.

Decision: a clip's id is its place (side, sign, file), which the layout makes unique; who signs is
not in it. Cost: one listing of the folders.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import SPLIT_NAMES, Refused, Row, pose_or_video, row
from signclip.poses.reader import is_video

NAME = "popsign"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds the three sides."""
    if path is None:
        return None
    return path if all((path / side).is_dir() for side in SPLIT_NAMES) else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows) in the order of sides, signs and names."""
    kept: list[Row] = []
    for side, split in SPLIT_NAMES.items():
        for sign in sorted(folder for folder in (root / side).iterdir() if folder.is_dir()):
            files = (p for p in sign.iterdir() if p.suffix == ".pose" or is_video(p))
            for stem in sorted({path.stem for path in files}):
                pose = f"{side}/{sign.name}/{stem}.pose"
                clip = f"{side}/{sign.name}/{stem}"
                kept.append(row(clip, pose_or_video(root, pose), sign.name, split=split))
    return kept, []
