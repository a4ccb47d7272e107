"""Clips that the leaderboard page plays, as points of the upper body and the hands; who signs them.

Decisions
* One row a test clip of a result: what the page groups clips by (label, sign language, signer),
  and, for the embedded corpus alone, its points. Poses of a local corpus are never copied into a
  file that git tracks: their licences are not ours.
* ``points`` is base64 of int8 (frames, points, 2): x to the right, y downwards. -128 as x: not
  detected. Body points are in units of 1/60 shoulder width from the middle of the shoulders; hand
  points are relative to the hand's own wrist point, in units of ``hand`` shoulder widths / 127,
  because fingers would be lost in the body's coarser grid. The order is :data:`NAMES`.
* At most :data:`FRAMES` frames, evenly chosen (``fps`` is that of the chosen ones), and at most
  :data:`MOST_CLIPS` clips, in the order of ids.

Cost: 5 s and 4 kB a clip.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.points import Made, Points
from benchmarks.source import Source
from signclip import corpora
from signclip.corpora import manifest
from signclip.features.store import corpus_fingerprint
from signclip.poses import landmarks, reader
from signclip.poses.landmarks import BODY, HAND_POINTS, HANDS, Landmarks, pairs
from signclip.text import label

EMBEDDED = "spreadthesign-fingerspelling"
FRAMES, MOST_CLIPS = 48, 800
BODY_STEP, HIDDEN = 60, -128
_BODY = (
    *("NOSE", "LEFT_EYE", "RIGHT_EYE", "MOUTH_LEFT", "MOUTH_RIGHT"),
    *("LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW", "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST"),
)
LEFT, RIGHT = HANDS
# The wrists of the hands belong to the body's grid: what the other hand points are relative to.
BODY_NAMES = (*pairs(BODY, _BODY), HANDS[LEFT][0], HANDS[RIGHT][0])
NAMES = (*BODY_NAMES, *HANDS[LEFT][1:], *HANDS[RIGHT][1:])
COLUMNS = ["corpus", "id", "label", "sign_language", "signer", "frames", "fps", "hand", "points"]


def make(source: Source) -> Made:
    """See the module."""
    tested: dict[str, set[str]] = {}
    for result in source.frame.drop_duplicates("signature")["result"]:
        tested.setdefault(result.corpus, set()).update(result.ranks)
    tables, inputs = [], []
    for corpus in sorted(tested):
        folder = source.workspace.corpus(corpus)
        if not (folder / manifest.MANIFEST_FILE).is_file():
            continue
        clips = manifest.read(folder)
        inputs.append(f"{corpus}: {corpus_fingerprint(clips)}")
        table = clips[clips["id"].isin(tested[corpus])].sort_values("id")
        table = table.assign(corpus=corpus, label=table["text"].map(label), hand="", points="")
        if corpus == EMBEDDED:
            _add_points(table, corpora.root(corpus, params=source.workspace.params))
        tables.append(table[COLUMNS])
    frame = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    return Made(frame, inputs)


def _add_points(table: pd.DataFrame, root: Path) -> None:
    for clip in table.index[:MOST_CLIPS]:
        path = root / str(table.at[clip, "path"])
        pose = landmarks.to_landmarks(reader.read_pose(path, sample=str(table.at[clip, "id"])))
        points, fps, hand = encode(pose)
        table.loc[clip, ["frames", "fps", "hand"]] = [len(points), round(fps, 3), f"{hand:.4f}"]
        table.at[clip, "points"] = base64.b64encode(points.tobytes()).decode()


def encode(pose: Landmarks) -> tuple[NDArray[np.int8], float, float]:
    """A clip's points on the grid of the page's player.

    Returns:
        int8 (frames, points, 2), frames a second, and the extent of the hands in shoulder widths.
    """
    count = len(pose.xyz)
    frames = np.unique(np.linspace(0, count - 1, min(count, FRAMES)).round().astype(int))
    place = landmarks.index_of(pose.names)
    chosen = [place[name] for name in NAMES]
    xy, valid = pose.xyz[frames][:, chosen, :2], pose.valid[frames][:, chosen]
    shoulders = [NAMES.index((BODY, f"{side}_SHOULDER")) for side in ("LEFT", "RIGHT")]
    both = valid[:, shoulders].all(axis=1)
    left, right = (xy[both, shoulder] for shoulder in shoulders)
    width = float(np.linalg.norm(left - right, axis=1).mean())
    xy = (xy - (left + right).mean(axis=0) / 2) / width
    body = len(BODY_NAMES)
    relative = xy[:, body:].copy()
    for number in range(2):
        wrist = body - 2 + number
        hand = slice(number * (HAND_POINTS - 1), (number + 1) * (HAND_POINTS - 1))
        relative[:, hand] -= xy[:, wrist, None]
    seen = valid[:, body:]
    extent = max(float(np.abs(relative[seen]).max()), 0.05) if seen.any() else 0.05
    grid = np.concatenate([xy[:, :body] * BODY_STEP, relative * 127 / extent], axis=1)
    grid = np.clip(np.rint(grid), -127, 127)
    grid[~valid] = (HIDDEN, 0)
    return grid.astype(np.int8), pose.fps * len(frames) / count, extent


POINTS = Points("player", "test clips for the leaderboard page", make)
