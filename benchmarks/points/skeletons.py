"""Skeletons: the points of the frames that figures of poses draw.

Decisions
* Three selections, by the column ``shown``: *alphabet*, the hands of one frame of every letter in
  some sign languages; *strips*, the hands of :data:`FRAMES` frames of one letter over languages,
  with the upper body in the middle one; *method*, the upper body in some frames of a few clips.
* The frame of the alphabet is the held one: in the middle half of the clip, that in which the
  points of the signing hand move least from the frame before and to the frame after
  (:func:`held_frame`). The frames of strips and method are the middles of equal parts of the frames
  in which the signing hand was detected.
* Signing hand: the one that was detected in more frames. Nothing is mirrored, and no point that was
  not detected is there.
* The upper body is the trunk, the arms, and the face as an outline, brows, eyes and lips.
* The columns are terse, since there are thousands of rows: ``part`` is body, face, left or right;
  ``point`` is MediaPipe's number of the point in that part.

Units: x, y and z are shoulder widths from the middle of the shoulders, x to the right of the
picture, y down, z away from the camera. The zero of z is another one for body, face and each hand.

Cost: reading some 180 clips, a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.points import Made, Points
from benchmarks.source import Source
from signclip import corpora
from signclip.core.config import read_yaml
from signclip.corpora import manifest
from signclip.features.store import corpus_fingerprint
from signclip.poses import CheckedPose, Landmarks, normalise
from signclip.poses.landmarks import BODY, BODY_POINTS, FACE, HANDS, LEFT_HAND, RIGHT_HAND, index_of
from signclip.poses.normalisation import scale_depth
from signclip.poses.reader import read_pose
from signclip.text import label

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# one-handed of several families; signed with the left hand (ise); two-handed (csq)
ALPHABET_LANGUAGES = ("ase", "gsg", "psr", "swl", "ise", "csq")  # unless params.yaml names others
LETTER = "t"  # in 16 sign languages, with one hand and with two
STRIP_LANGUAGES = ("ase", "gsg", "ssp", "psr", "svk", "ise", "swl", "tsm")
METHOD_CLIPS = (("ase", "l"), ("svk", "t"), ("tsm", "h"))  # sign language, label
FRAMES, METHOD_FRAMES = 5, 3

BODY_PART, FACE_PART, LEFT, RIGHT = "body", "face", "left", "right"
COMPONENT = {BODY_PART: BODY, FACE_PART: FACE, LEFT: LEFT_HAND, RIGHT: RIGHT_HAND}
COLUMNS = ["shown", "id", "frame", "part", "point", "x", "y", "z"]

# every other point of the long outlines of MediaPipe's face mesh, in the order of the outline
FACE_OUTLINES = {
    "oval": (10, 297, 284, 389, 454, 361, 397, 379, 400, 152, 176, 150, 172, 132, 234, 162, 54, 67),
    "right_brow": (46, 53, 52, 65, 55),
    "left_brow": (276, 283, 282, 295, 285),
    "right_eye": (33, 163, 145, 154, 133, 157, 159, 161),
    "left_eye": (263, 390, 374, 381, 362, 384, 386, 388),
    "lips": (61, 91, 84, 314, 321, 291, 270, 0, 40),
}
TRUNK = ("LEFT_SHOULDER", "RIGHT_SHOULDER", "RIGHT_HIP", "LEFT_HIP")
ARMS = tuple(
    tuple(f"{side}_{joint}" for joint in ("SHOULDER", "ELBOW", "WRIST"))
    for side in ("LEFT", "RIGHT")
)
_BODY = tuple(dict.fromkeys([*TRUNK, *ARMS[0], *ARMS[1]]))


def points_of(part: str) -> list[tuple[int, str]]:
    """(MediaPipe's number, name) of the points of a part that are drawn."""
    if part == BODY_PART:
        return [(BODY_POINTS.index(name), name) for name in _BODY]
    if part == FACE_PART:
        return [(i, str(i)) for outline in FACE_OUTLINES.values() for i in outline]
    return list(enumerate(name for _, name in HANDS[COMPONENT[part]]))


def part_of(landmarks: Landmarks, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (frames, points, 3) and detection (frames, points) of a part's drawn points."""
    index = index_of(landmarks.names)
    at = [index.get((COMPONENT[part], name), -1) for _, name in points_of(part)]
    return landmarks.xyz[:, at], landmarks.valid[:, at] & (np.array(at) >= 0)


def signing_hand(landmarks: Landmarks) -> str:
    """The hand that was detected in more frames; the right one if it is a tie."""
    left, right = (part_of(landmarks, part)[1].sum() for part in (LEFT, RIGHT))
    return LEFT if left > right else RIGHT


def held_frame(landmarks: Landmarks) -> int:
    """The frame with the least motion of the signing hand in the middle half of the clip.

    Motion: mean distance of the hand's points in the picture to those of the frame before and of
    the frame after. Where the middle half has no three frames in a row with the hand, the whole
    clip counts; a clip without any has the middle one of the frames with the hand.
    """
    xyz, valid = part_of(landmarks, signing_hand(landmarks))
    detected = valid.all(axis=1)
    steps = np.linalg.norm(np.diff(xyz[..., :2], axis=0), axis=-1).mean(axis=1)
    steps[~(detected[1:] & detected[:-1])] = np.inf
    motion = np.full(len(xyz), np.inf)
    motion[1:-1] = (steps[1:] + steps[:-1]) / 2
    quarter = len(xyz) // 4
    for candidates in (range(quarter, len(xyz) - quarter), range(len(xyz))):
        best = min(candidates, key=lambda frame: motion[frame])
        if np.isfinite(motion[best]):
            return best
    return sampled_frames(landmarks, 1)[0]


def sampled_frames(landmarks: Landmarks, count: int) -> list[int]:
    """The middles of ``count`` equal parts of the frames in which the signing hand was detected.

    Of a clip without any hand, of all frames.
    """
    _, valid = part_of(landmarks, signing_hand(landmarks))
    frames = np.flatnonzero(valid.all(axis=1))
    if not len(frames):
        frames = np.arange(len(valid))
    return [int(frames[int((i + 0.5) * len(frames) / count)]) for i in range(count)]


def rows(landmarks: Landmarks, frame: int, parts: Iterable[str]) -> pd.DataFrame:
    """The detected points of one frame: columns frame, part, point, x, y, z."""
    found = []
    for part in parts:
        xyz, valid = part_of(landmarks, part)
        numbers = np.array([number for number, _ in points_of(part)])
        kept = valid[frame]
        values = pd.DataFrame(xyz[frame, kept], columns=["x", "y", "z"])
        found.append(values.assign(frame=frame, part=part, point=numbers[kept]))
    return pd.concat(found, ignore_index=True)


def _alphabet(landmarks: Landmarks) -> pd.DataFrame:
    return rows(landmarks, held_frame(landmarks), (LEFT, RIGHT))


def _strip(landmarks: Landmarks) -> pd.DataFrame:
    frames = sampled_frames(landmarks, FRAMES)
    body = rows(landmarks, frames[FRAMES // 2], (BODY_PART, FACE_PART))
    return pd.concat([body, *(rows(landmarks, frame, (LEFT, RIGHT)) for frame in frames)])


def _method(landmarks: Landmarks) -> pd.DataFrame:
    frames = sampled_frames(landmarks, METHOD_FRAMES)
    return pd.concat([rows(landmarks, frame, COMPONENT) for frame in frames])


class Selection(NamedTuple):
    """Clips, and the rows of a clip that are shown."""

    pairs: Sequence[tuple[str, str]]  # (sign language, label), in the order of the figure
    rows: Callable[[Landmarks], pd.DataFrame]


def selections(alphabet: Sequence[str] = ALPHABET_LANGUAGES) -> dict[str, Selection]:
    """What the figures show, by the name of the selection.

    Args:
        alphabet: the sign languages of the alphabet, one a row.
    """
    return {
        "alphabet": Selection([*product(alphabet, ALPHABET)], _alphabet),
        "strips": Selection([*product(STRIP_LANGUAGES, [LETTER])], _strip),
        "method": Selection(METHOD_CLIPS, _method),
    }


def frame(
    clips: pd.DataFrame,
    read: Callable[[str], Landmarks],
    alphabet: Sequence[str] = ALPHABET_LANGUAGES,
) -> pd.DataFrame:
    """The rows of all selections, in the order of their clips.

    Args:
        clips: a manifest.
        read: path of a clip -> its normalised landmarks.
        alphabet: see :func:`selections`.
    """
    clips = clips.assign(label=clips["text"].map(label))
    columns = [clips[name] for name in ("sign_language", "label", "id", "path")]
    files: dict[tuple[str, str], tuple[str, str]] = {}
    for language, letter, clip, path in zip(*columns, strict=True):
        files.setdefault((language, letter), (clip, path))
    found = []
    for shown, selection in selections(alphabet).items():
        for clip, path in (files[pair] for pair in selection.pairs if pair in files):
            found.append(selection.rows(read(path)).assign(shown=shown, id=clip))
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(found, ignore_index=True)[COLUMNS]


def read_landmarks(path: str, root: Path) -> Landmarks:
    """The normalised landmarks of a clip, in shoulder widths, z as well.

    Raises:
        PoseError: the file is missing or damaged.
    """
    landmarks, width = CheckedPose.of(read_pose(root / path))
    return scale_depth(normalise(landmarks, sample=path), width)


def make(source: Source) -> Made:
    """See the module; without the corpus, or where its clips are not here, there is nothing."""
    folder = source.workspace.corpus(source.corpus)
    if not folder.is_dir():
        return Made(pd.DataFrame(columns=COLUMNS))
    root = corpora.find(source.corpus, params=source.workspace.params)
    if root is None:
        return Made(pd.DataFrame(columns=COLUMNS))
    clips = manifest.read(folder)
    named = read_yaml(source.workspace.params).get("figures", {})
    alphabet = named.get("alphabet_languages", ALPHABET_LANGUAGES)
    inputs = [f"{source.corpus}: {corpus_fingerprint(clips)}"]
    found = frame(clips, partial(read_landmarks, root=root), alphabet)
    return Made(found, inputs, digits=3)


POINTS = Points("skeletons", "the points of drawn frames", make)
