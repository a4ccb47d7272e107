"""RWTH German Fingerspelling, on which the paper's FingerCLIP rows are measured.

Decisions
* The files' names say all: ``<signer>_<letter>_<sequence>_cam<1|2>``.
* The paper's split: the authors' lists where they lie in the folder, else their rule (all names
  sorted, shuffled with seed 3407, 10/10/80), which needs the names of both cameras. That validation
  comes first in the shuffled order is taken from their scripts for the other corpora; it could not
  be checked against their lists.
* Two splits: ``official``, and ``camera_2``, the same one without camera 1 (the paper's pose rows).

Cost: one listing of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from signclip.core.errors import ManifestError
from signclip.corpora import splits
from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import (
    SPLIT_NAMES,
    Refused,
    Row,
    pose_or_video,
    read_text,
    row,
    shuffled_split,
)
from signclip.poses.reader import is_video

NAME = "rwth-fs"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

# gesture 1 to 35, named as in the paper's prompts (facts 5, gesture_ids.txt)
GESTURES = (
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *("AE", "OE", "UE", "SCH", "One", "Two", "Three", "Four", "Five"),
)
_CLIP = re.compile(r"(?P<signer>[^_]+)_(?P<gesture>\d+)_(?P<sequence>\d+)_cam(?P<camera>[12])")
_PERCENT = 10


def _clips(root: Path) -> dict[str, Path]:
    """Name of each clip in any folder below -> its file, the pose before the video.

    Raises:
        ManifestError: two folders have a pose of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*_cam[12].*")):
        if not _CLIP.fullmatch(path.stem):
            continue
        if path.suffix == ".pose":
            if path.stem in found and found[path.stem].suffix == ".pose":
                raise ManifestError(path.stem, f"two poses: {found[path.stem]} and {path}")
            found[path.stem] = path
        elif is_video(path):
            found.setdefault(path.stem, path)
    return found


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds at least one clip."""
    if path is None or not path.is_dir():
        return None
    return path if any(_CLIP.fullmatch(p.stem) for p in path.rglob("*_cam[12].*")) else None


def _split(root: Path, names: list[str]) -> dict[str, str]:
    lists = {side: root / f"{side}.txt" for side in SPLIT_NAMES}
    if not all(path.is_file() for path in lists.values()):
        return shuffled_split(sorted(names), _PERCENT)
    of: dict[str, str] = {}
    for side, path in lists.items():
        for name in read_text(path).split():
            if name in of:
                raise ManifestError(name, f"{path} lists it, and so does another list or line")
            of[name] = SPLIT_NAMES[side]
    return of


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows in the order of names, clips that the authors' lists do not have).

    Raises:
        ManifestError: a name has an unknown gesture, or stands twice, in the authors' lists or in
            the folders.
    """
    found = _clips(root)
    split = _split(root, list(found))
    kept: list[Row] = []
    refused: list[Refused] = []
    for name in sorted({*found, *split}):
        parts = _CLIP.fullmatch(name)
        if parts is None or not 1 <= int(parts["gesture"]) <= len(GESTURES):
            raise ManifestError(name, f"no name of a clip with a gesture of 1 to {len(GESTURES)}")
        there = found.get(name, root / f"{name}.pose").relative_to(root)
        path = pose_or_video(root, there.as_posix())
        if name not in split:
            refused.append({"id": name, "path": path, "reason": "not in the authors' lists"})
            continue
        kept.append(
            row(
                name,
                path,
                GESTURES[int(parts["gesture"]) - 1],
                sign_language="gsg",
                spoken_language="de",
                signer=parts["signer"],
                split=split[name],
            )
        )
    return kept, refused


def more_splits(manifest: pd.DataFrame) -> pd.DataFrame:
    """The split ``camera_2``."""
    camera_2 = manifest[manifest["id"].str.endswith("_cam2")]
    return splits.official(camera_2).assign(split="camera_2")
