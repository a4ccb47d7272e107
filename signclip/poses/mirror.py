"""Mirroring landmarks: which point is the mirror image of which.

Decisions
* The map is between names, so it holds for any order of points, and for any layout that contains
  each point's counterpart (body, face contours, both hands; not one hand, not the full face).
* The face map is computed, not listed. MediaPipe numbers the two halves of its face in the same
  order: without the six points of the midline, the k-th contour point of one half (numbers below
  249) is the counterpart of the k-th of the other. This was found by matching the reflected mean
  face of ``pose_anonymization`` to itself (optimal assignment over all 468 points, an involution);
  the tests check it against MediaPipe's own contours (left eye to right eye, edge by edge), that
  mean face, and real faces.

Cost: the permutation of a layout is computed once and cached.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from signclip.core.errors import ConfigError, PoseError
from signclip.poses.landmarks import (
    BODY,
    FACE,
    FACE_CONTOURS,
    LEFT_HAND,
    RIGHT_HAND,
    Landmarks,
    PointName,
    index_of,
)

FACE_MIDLINE = (0, 10, 13, 14, 17, 152)  # lips, forehead, chin
_FIRST_OF_LEFT_HALF = 249  # the signer's left, which the picture shows on the right


def _face_map() -> dict[str, str]:
    right = [p for p in FACE_CONTOURS if p < _FIRST_OF_LEFT_HALF and p not in FACE_MIDLINE]
    left = [p for p in FACE_CONTOURS if p >= _FIRST_OF_LEFT_HALF]
    there = dict(zip(right, left, strict=True))
    back = {b: a for a, b in there.items()}
    return {str(p): str((there | back).get(p, p)) for p in FACE_CONTOURS}


_FACE_MAP = _face_map()
_HANDS = {LEFT_HAND: RIGHT_HAND, RIGHT_HAND: LEFT_HAND}
_SIDES = {"LEFT": "RIGHT", "RIGHT": "LEFT"}


def counterpart(name: PointName) -> PointName | None:
    """The mirror image of a point: itself on the midline, None where it is not known."""
    component, point = name
    if component in _HANDS:
        return _HANDS[component], point
    if component == BODY:  # LEFT_WRIST, MOUTH_LEFT, NOSE
        return BODY, "_".join(_SIDES.get(word, word) for word in point.split("_"))
    return (FACE, _FACE_MAP[point]) if component == FACE and point in _FACE_MAP else None


@lru_cache(maxsize=64)
def permutation(names: tuple[PointName, ...]) -> np.ndarray:
    """int (points,): the mirror image of point ``i`` is point ``permutation(names)[i]``.

    Raises:
        ConfigError: a point has no counterpart in this layout.
    """
    index = index_of(names)
    positions = []
    for name in names:
        partner = counterpart(name)
        if partner is None or partner not in index:
            raise ConfigError(f"cannot mirror: {' '.join(name)} has no counterpart here")
        positions.append(index[partner])
    swap = np.array(positions)
    swap.flags.writeable = False  # it is shared
    return swap


def mirror_landmarks(landmarks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """Mirror a clip: x -> -x, left and right points swapped. Normalise the result again.

    Raises:
        PoseError: a point has no counterpart.
    """
    try:
        swap = permutation(landmarks.names)
    except ConfigError as error:
        raise PoseError(sample, str(error)) from None
    xyz = landmarks.xyz[:, swap]
    xyz[..., 0] = 0 - xyz[..., 0]  # not -x: a missing point stays 0, not -0
    return replace(landmarks, xyz=xyz, valid=landmarks.valid[:, swap])
