"""WLASL as poses of OpenHands: ``<video_id>.pkl`` and WLASL's list.

Decision: the list is ``WLASL_v0.3.json``, or else the largest of the lists ``asl2000.json``,
``asl1000.json``, ``asl300.json`` and ``asl100.json``, which have its form. The split is the
official one, whose signers are shared. Cost: one JSON file and one listing of the folder.
"""

from __future__ import annotations

from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.loaders import wlasl
from signclip.corpora.reading import files_named
from signclip.poses.openhands import SUFFIX

LISTS = (wlasl.TABLE, *(f"asl{size}.json" for size in (2000, 1000, 300, 100)))


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of the list.

    Raises:
        ManifestError: there is no list, or it is damaged.
    """
    sources = [path for name in LISTS for path in sorted(root.rglob(name))]
    if not sources:
        raise ManifestError(root, f"there is no list in it ({', '.join(LISTS)})")
    there = files_named(root, SUFFIX)
    return wlasl.listed(sources[0], lambda clip: there.get(clip, f"{clip}{SUFFIX}")), []


LOADER = Loader(name="openhands-wlasl", needs=("**/*.json", "**/*.pkl"), rows=rows)
