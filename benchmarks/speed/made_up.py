"""Made-up clips with the lengths of Spreadthesign's: how many frames, and rows of a manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

# Spreadthesign's English part: poses of at most 256 frames, concepts, epochs of a pretraining row
CLIPS, CONCEPTS, EPOCHS = 453_261, 18_423, 25
# pose lengths in the paper's data statistics: minimum, 5 %, median, 95 %, 99 %, limit
QUANTILES, FRAMES = [0, 0.05, 0.5, 0.95, 0.99, 1], [14, 52, 89, 172, 226, 256]


def draw_lengths(table: Path | None, clips: int, rng: np.random.Generator) -> np.ndarray:
    """int (clips,): frames of each clip, drawn from a CSV of ``frames, clips`` or the quantiles."""
    if table is None:
        return np.interp(rng.random(clips), QUANTILES, FRAMES).round().astype(int)
    known = pd.read_csv(table)
    share = known["clips"] / known["clips"].sum()
    return rng.choice(known["frames"].to_numpy(), size=clips, p=share)


def manifest_rows(frames: np.ndarray) -> pd.DataFrame:
    """A manifest of as many clips, with ids and hashes as long as real ones."""
    count = len(frames)
    digests = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(count)]
    return pd.DataFrame(
        {
            "id": [str(i) for i in range(count)],
            "path": [f"sign-mt-poses/{digest}.pose" for digest in digests],
            "sha256": digests,
            "text": [f"concept {i % CONCEPTS}" for i in range(count)],
            "sign_language": "ase",
            "spoken_language": "en",
            "signer": "",
            "split": np.where(np.arange(count) % 100 == 0, "test", "train"),
            "frames": frames,
            "fps": 25.0,
        }
    )
