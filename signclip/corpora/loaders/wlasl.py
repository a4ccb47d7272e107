"""WLASL v0.3 with its official splits, which share signers.

Decision: a clip is a video as the authors' start_kit cuts it (``videos/<video_id>.mp4``), or the
pose made of it; clips whose video is missing are listed as dropped. Cost: one JSON file.
:mod:`.openhands_wlasl` reads the same list with OpenHands' poses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import official_split, pose_or_video, read_text, row

TABLE = "WLASL_v0.3.json"


def listed(source: Path, path_of: Callable[[str], str]) -> list[Row]:
    """All clips of a list of WLASL, in its order.

    Args:
        path_of: video_id -> path of the clip in the corpus folder.

    Raises:
        ManifestError: the list is damaged, or a split is unknown.
    """
    kept: list[Row] = []
    try:
        for entry in json.loads(read_text(source)):
            if not isinstance(entry["gloss"], str):
                raise TypeError(f"gloss {entry['gloss']!r}")
            for instance in entry["instances"]:
                clip = str(instance["video_id"])
                signer = instance.get("signer_id")
                kept.append(
                    row(
                        clip,
                        path_of(clip),
                        entry["gloss"],
                        signer="" if signer is None else str(signer),
                        split=official_split(instance["split"], sample=clip),
                    )
                )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(source, f"not the list of WLASL ({error!r})") from None
    return kept


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of the list.

    Raises:
        ManifestError: see :func:`listed`.
    """

    def path_of(clip: str) -> str:
        return pose_or_video(root, f"poses/{clip}.pose", "videos")

    return listed(root / TABLE, path_of), []


LOADER = Loader(name="wlasl", needs=(TABLE,), rows=rows)
