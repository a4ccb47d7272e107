"""WLASL v0.3 with its official splits, which share signers.

Decision: a clip is a video as the authors' start_kit cuts it (``videos/<video_id>.mp4``), or the
pose made of it; clips whose video could not be had are listed as dropped. Cost: one JSON file.
"""

from __future__ import annotations

import json
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import (
    Refused,
    Row,
    inside,
    official_split,
    pose_or_video,
    read_text,
    row,
)

NAME = "wlasl"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

TABLE = "WLASL_v0.3.json"


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds the list."""
    return path if path is not None and (path / TABLE).is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows) in the order of the list.

    Raises:
        ManifestError: the list is damaged, a split is unknown, or a path leaves the folder.
    """
    source = root / TABLE
    kept: list[Row] = []
    try:
        for entry in json.loads(read_text(source)):
            if not isinstance(entry["gloss"], str):
                raise TypeError(f"gloss {entry['gloss']!r}")
            for instance in entry["instances"]:
                clip = str(instance["video_id"])
                pose = inside(root, f"poses/{clip}.pose", sample=clip)
                kept.append(
                    row(
                        clip,
                        pose_or_video(root, pose, "videos"),
                        entry["gloss"],
                        signer=str(instance["signer_id"]),
                        split=official_split(instance["split"], sample=clip),
                    )
                )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(source, f"not the list of WLASL ({error!r})") from None
    return kept, []
