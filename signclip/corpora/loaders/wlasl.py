"""WLASL v0.3 with its official splits, which share signers.

Decision: a clip is a video as the authors' start_kit cuts it (``videos/<video_id>.mp4``), or the
pose made of it; clips whose video is missing are listed as dropped. Cost: one JSON file.
"""

from __future__ import annotations

import json
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import official_split, pose_or_video, read_text, row

TABLE = "WLASL_v0.3.json"


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of the list.

    Raises:
        ManifestError: the list is damaged, or a split is unknown.
    """
    source = root / TABLE
    kept: list[Row] = []
    try:
        for entry in json.loads(read_text(source)):
            if not isinstance(entry["gloss"], str):
                raise TypeError(f"gloss {entry['gloss']!r}")
            for instance in entry["instances"]:
                clip = str(instance["video_id"])
                signer = instance["signer_id"]
                kept.append(
                    row(
                        clip,
                        pose_or_video(root, f"poses/{clip}.pose", "videos"),
                        entry["gloss"],
                        signer="" if signer is None else str(signer),
                        split=official_split(instance["split"], sample=clip),
                    )
                )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(source, f"not the list of WLASL ({error!r})") from None
    return kept, []


LOADER = Loader(name="wlasl", needs=(TABLE,), rows=rows)
