"""PopSign ASL v1.0: folders ``{train,val,test}/<sign>/<clip>.pose``, made from its videos.

Decision: the id of a clip is its relative path without suffix, which the layout makes unique; the
layout does not record signers. Cost: one listing of the folders.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from signclip.core import files
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import SPLIT_NAMES, row
from signclip.poses.reader import is_pose_file, is_video


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips, in the order of subsets, signs and file names."""
    kept: list[Row] = []
    for subset, split in SPLIT_NAMES.items():
        for sign in sorted(folder for folder in (root / subset).iterdir() if folder.is_dir()):
            if files.is_hidden(PurePath(sign.name)):
                continue
            # a pose replaces its video
            clips = sorted(sign.iterdir(), key=lambda path: (is_pose_file(path), path))
            of_stem = {p.stem: p for p in clips if is_pose_file(p) or is_video(p)}
            for stem, path in sorted(of_stem.items()):
                clip = f"{subset}/{sign.name}/{stem}"
                kept.append(row(clip, path.relative_to(root).as_posix(), sign.name, split=split))
    return kept, []


LOADER = Loader(name="popsign", needs=tuple(SPLIT_NAMES), rows=rows)
