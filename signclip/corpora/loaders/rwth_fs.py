"""RWTH German Fingerspelling, the corpus of the paper's FingerCLIP rows.

Decisions
* File names hold all labels: ``<signer>_<letter>_<sequence>_cam<1|2>``.
* The split is the paper's: the authors' lists if they lie in the folder, else their rule (all names
  sorted, shuffled with seed 3407, 10/10/80 %), which needs the names of both cameras. That the
  validation clips come first in the shuffled order is inferred from the authors' scripts for other
  corpora; it could not be compared with their lists.
* Two splits: ``official``, and ``camera_2``, the same without camera 1 (the paper's pose rows).

Cost: one listing of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from signclip.core import files
from signclip.core.errors import ManifestError
from signclip.corpora import splits
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import SPLIT_NAMES, pose_or_video, read_text, row, shuffled_split
from signclip.poses.reader import is_pose_file, is_video

# gestures 1 to 35, named as in the prompts of the authors' code (data/rwthfs/gesture_ids.txt)
GESTURES = (
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    *("AE", "OE", "UE", "SCH", "One", "Two", "Three", "Four", "Five"),
)
_CLIP = re.compile(r"(?P<signer>[^_]+)_(?P<gesture>\d+)_(?P<sequence>\d+)_cam(?P<camera>[12])")
_FILES = "*_*_*_cam[12].*"
_PERCENT = 10


def _clips(root: Path) -> dict[str, Path]:
    """Name of each clip -> its file in any folder below; a pose is preferred to a video.

    Raises:
        ManifestError: two folders have a pose of the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(root.rglob(_FILES)):
        if not _CLIP.fullmatch(path.stem) or files.is_hidden(path.relative_to(root)):
            continue
        if is_pose_file(path):
            if path.stem in found and is_pose_file(found[path.stem]):
                raise ManifestError(path.stem, f"two poses: {found[path.stem]} and {path}")
            found[path.stem] = path
        elif is_video(path):
            found.setdefault(path.stem, path)
    return found


def _split(root: Path, names: list[str]) -> dict[str, str]:
    """Name of each clip -> train, validation or test."""
    lists = {subset: root / f"{subset}.txt" for subset in SPLIT_NAMES}
    if not all(path.is_file() for path in lists.values()):
        return shuffled_split(sorted(names), _PERCENT)
    split: dict[str, str] = {}
    for subset, path in lists.items():
        for name in read_text(path).split():
            if name in split:
                raise ManifestError(name, f"{path} lists it, and so does another list or line")
            split[name] = SPLIT_NAMES[subset]
    return split


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of their names, and those that the authors' lists do not contain.

    Raises:
        ManifestError: a name has an unknown gesture, or occurs twice in the authors' lists or in
            the folders.
    """
    found = _clips(root)
    split = _split(root, list(found))
    kept: list[Row] = []
    refused: list[Refused] = []
    for name in sorted({*found, *split}):
        parts = _CLIP.fullmatch(name)
        if parts is None or not 1 <= int(parts["gesture"]) <= len(GESTURES):
            raise ManifestError(name, f"not a clip name with a gesture of 1 to {len(GESTURES)}")
        file = found.get(name, root / f"{name}.pose").relative_to(root)
        path = pose_or_video(root, file.as_posix())
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


LOADER = Loader(name="rwth-fs", needs=(f"**/{_FILES}",), rows=rows, more_splits=more_splits)
