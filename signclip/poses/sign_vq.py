"""The paper's reduced and repositioned pose (E6, E6.1): SignVQ's 178 points.

Decisions
* The points are 8 of the body (shoulders, elbows, wrists, hips), 128 of the face contours, and both
  hands. Each hand is relative to its own wrist, so that its shape does not depend on its position,
  which remains in the body's wrists.
* Standardising uses SignVQ's means and standard deviations over Spreadthesign, 534 numbers each, in
  ``sign_vq_normalization.npz``. (``pose_anonymization`` has a file of the same name as SignVQ's,
  with other content.) They were recovered from pairs of unscaled and scaled features of the
  authors' code. A hand's own wrist is always zero and stays zero.
* The authors' code intends to set the body's wrists to the hands' (pose-format's
  ``correct_wrists``) but discards the result; ``sign_vq_wrists`` does it.

Cost: 0.1 ms for a clip of 70 frames.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import resources

import numpy as np

from signclip.poses.landmarks import BODY, HANDS, LEFT_HAND, RIGHT_HAND, Landmarks, index_of, pairs

BODY_POINTS = pairs(
    BODY,
    [
        f"{side}_{joint}"
        for joint in ("SHOULDER", "ELBOW", "WRIST", "HIP")
        for side in ("LEFT", "RIGHT")
    ],
)
_BODY_WRIST = {LEFT_HAND: (BODY, "LEFT_WRIST"), RIGHT_HAND: (BODY, "RIGHT_WRIST")}


def correct_wrists(landmarks: Landmarks) -> Landmarks:
    """Set the body's wrists to the hands' wrists in the frames in which these are detected."""
    index = index_of(landmarks.names)
    xyz, valid = landmarks.xyz.copy(), landmarks.valid.copy()
    for hand, body_wrist in _BODY_WRIST.items():
        wrist, target = index[(hand, "WRIST")], index[body_wrist]
        detected = landmarks.valid[:, wrist]
        xyz[detected, target] = landmarks.xyz[detected, wrist]
        valid[detected, target] = True
    return replace(landmarks, xyz=xyz, valid=valid)


def shift_hands(landmarks: Landmarks) -> Landmarks:
    """Make each hand relative to its own wrist; a hand without its wrist counts as missing."""
    index = index_of(landmarks.names)
    xyz, valid = landmarks.xyz.copy(), landmarks.valid.copy()
    for hand in HANDS.values():
        points = [index[name] for name in hand]
        valid[:, points] &= landmarks.valid[:, points[:1]]
        xyz[:, points] -= landmarks.xyz[:, points[:1]]
    return replace(landmarks, xyz=np.where(valid[..., None], xyz, 0.0), valid=valid)


@lru_cache(maxsize=1)
def constants() -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64 (178, 3) each, in shoulder widths."""
    path = resources.files("signclip.poses").joinpath("sign_vq_normalization.npz")
    with path.open("rb") as file, np.load(file) as arrays:
        return arrays["mean"], arrays["std"]


def standardise(landmarks: Landmarks) -> Landmarks:
    """(x - mean) / std for each point and axis; a missing point stays 0 instead of -mean/std.

    Args:
        landmarks: the 178 points in the order of the selection ``sign_vq``.
    """
    mean, std = constants()
    return replace(
        landmarks, xyz=np.where(landmarks.valid[..., None], (landmarks.xyz - mean) / std, 0.0)
    )
