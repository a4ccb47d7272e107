"""Landmarks: the names of MediaPipe Holistic's points, and a person's points over a clip.

Decision: a point is identified by a pair of names (component, point), as in the header of a
``.pose`` file, never by a bare number: files differ in which points they hold and in which order,
and a wrong number would pass unnoticed. Cost: the index of a layout is built once and cached.

Units: see :mod:`signclip.poses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from pose_format import Pose

from signclip.poses.checks import detected_points

BODY, FACE = "POSE_LANDMARKS", "FACE_LANDMARKS"
LEFT_HAND, RIGHT_HAND = "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS"
WORLD = "POSE_WORLD_LANDMARKS"  # metres around the hips; no variant uses them

HAND_POINTS = 21
FACE_MESH_POINTS = 468  # MediaPipe appends IRIS_POINTS more where it refines the irises
IRIS_POINTS = 10

PointName = tuple[str, str]  # (component, point)


@dataclass(frozen=True)
class Landmarks:
    """One person's points over a clip.

    Attributes:
        xyz: float64 (frames, points, 3); zero where not valid.
        valid: bool (frames, points); was the point detected? As in pose-format, a point counts as
            missing only if its confidence is exactly 0: MediaPipe's visibility of a detected point
            can be slightly negative.
        names: (component, point) of each point.
        fps: frames a second.
    """

    xyz: np.ndarray
    valid: np.ndarray
    names: tuple[PointName, ...]
    fps: float


class Features(NamedTuple):
    """A model's input for one clip.

    ``values`` float32 (frames, dims), point by point, each x, y, z; ``valid`` bool (frames,
    points).
    """

    values: np.ndarray
    valid: np.ndarray


def to_landmarks(pose: Pose) -> Landmarks:
    """Convert a checked pose to arrays, without the world landmarks."""
    names = tuple(
        (component.name, point)
        for component in pose.header.components
        for point in component.points
    )
    valid = detected_points(pose)[:, 0]
    xyz = np.ma.getdata(pose.body.data)[:, 0, :, :3].astype(np.float64)
    keep = np.array([component != WORLD for component, _ in names])
    xyz, valid = xyz[:, keep], valid[:, keep]
    names = tuple(name for name in names if name[0] != WORLD)
    return Landmarks(np.where(valid[..., None], xyz, 0.0), valid, names, float(pose.body.fps))


@lru_cache(maxsize=64)
def index_of(names: tuple[PointName, ...]) -> dict[PointName, int]:
    """Name of a point -> its position in a layout."""
    return {name: i for i, name in enumerate(names)}


def pairs(component: str, points: Sequence[str]) -> tuple[PointName, ...]:
    """The (component, point) pairs of a component's points."""
    return tuple((component, point) for point in points)


BODY_POINTS = (
    "NOSE",
    *(f"{side}_EYE{part}" for side in ("LEFT", "RIGHT") for part in ("_INNER", "", "_OUTER")),
    *("LEFT_EAR", "RIGHT_EAR", "MOUTH_LEFT", "MOUTH_RIGHT"),
    *(
        f"{side}_{joint}"
        for joint in (
            *("SHOULDER", "ELBOW", "WRIST", "PINKY", "INDEX", "THUMB"),
            *("HIP", "KNEE", "ANKLE", "HEEL", "FOOT_INDEX"),
        )
        for side in ("LEFT", "RIGHT")
    ),
)
_FINGERS = ("INDEX_FINGER", "MIDDLE_FINGER", "RING_FINGER", "PINKY")
_HAND = (
    "WRIST",
    *(f"THUMB_{joint}" for joint in ("CMC", "MCP", "IP", "TIP")),
    *(f"{finger}_{joint}" for finger in _FINGERS for joint in ("MCP", "PIP", "DIP", "TIP")),
)
HANDS = {side: pairs(side, _HAND) for side in (LEFT_HAND, RIGHT_HAND)}
# The parent of each hand point: the previous point on the way from the wrist.
HAND_PARENT = (
    0,
    *(4 * finger + joint if joint else 0 for finger in range(5) for joint in range(4)),
)
# The variant ``signing``: the upper body, then the hands.
SIGNING: tuple[PointName, ...] = (
    pairs(
        BODY,
        (
            *("NOSE", "LEFT_EYE", "RIGHT_EYE", "MOUTH_LEFT", "MOUTH_RIGHT"),
            *("LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW", "RIGHT_ELBOW"),
            *("LEFT_WRIST", "RIGHT_WRIST"),
        ),
    )
    + HANDS[LEFT_HAND]
    + HANDS[RIGHT_HAND]
)
SIGNING_RIGHT = slice(len(SIGNING) - HAND_POINTS, len(SIGNING))
SIGNING_LEFT = slice(SIGNING_RIGHT.start - HAND_POINTS, SIGNING_RIGHT.start)
# The end points of MediaPipe's FACEMESH_CONTOURS, ascending: eyes, brows, lips, outline.
FACE_CONTOURS = (
    0, 7, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70,
    78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145,
    146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 172, 173, 176,
    178, 181, 185, 191, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288,
    291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334,
    336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466,
)  # fmt: skip
