"""PopSign ASL v1.0: folders ``{train,val,test}/<sign>/<clip>.pose``, made from its videos.

Decision: the id of a clip is its relative path without suffix, which the layout makes unique; the
layout does not record signers. Cost: one listing of the folders.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import SPLIT_NAMES, pose_or_video, row
from signclip.poses.reader import is_video


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips, in the order of subsets, signs and file names."""
    kept: list[Row] = []
    for subset, split in SPLIT_NAMES.items():
        for sign in sorted(folder for folder in (root / subset).iterdir() if folder.is_dir()):
            files = (p for p in sign.iterdir() if p.suffix == ".pose" or is_video(p))
            for stem in sorted({path.stem for path in files}):
                clip = f"{subset}/{sign.name}/{stem}"
                path = pose_or_video(root, f"{clip}.pose")
                kept.append(row(clip, path, sign.name, split=split))
    return kept, []


LOADER = Loader(name="popsign", needs=tuple(SPLIT_NAMES), rows=rows)
