"""The paper's reduced and repositioned pose (E6, E6.1): SignVQ's 178 points.

Decisions
* 8 body points (shoulders, elbows, wrists, hips), 128 face contour points and both hands, each hand
  relative to its own wrist, so that a hand's shape does not depend on its place; that place remains
  in the body's wrists.
* Standardising uses SignVQ's means and standard deviations over Spreadthesign, 534 numbers each, in
  ``sign_vq_normalization.npz``. (``pose_anonymization`` carries a file of the same name as SignVQ's
  with other content.) They were recovered from pairs of the reference's unscaled and scaled
  features. A hand's own wrist is always zero and stays so.
* The reference means to set the body's wrists to the hands' (pose-format's ``correct_wrists``) but
  drops the result; ``sign_vq_wrists`` does it.

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


def correct_wrists(marks: Landmarks) -> Landmarks:
    """The body's wrist becomes the hand's in the frames in which the hand is detected."""
    index = index_of(marks.names)
    xyz, valid = marks.xyz.copy(), marks.valid.copy()
    for hand, body_wrist in _BODY_WRIST.items():
        wrist, target = index[(hand, "WRIST")], index[body_wrist]
        seen = marks.valid[:, wrist]
        xyz[seen, target], valid[seen, target] = marks.xyz[seen, wrist], True
    return replace(marks, xyz=xyz, valid=valid)


def shift_hands(marks: Landmarks) -> Landmarks:
    """Each hand relative to its own wrist; without its wrist a hand counts as missing."""
    index = index_of(marks.names)
    xyz, valid = marks.xyz.copy(), marks.valid.copy()
    for hand in HANDS.values():
        points = [index[name] for name in hand]
        valid[:, points] &= marks.valid[:, points[:1]]
        xyz[:, points] -= marks.xyz[:, points[:1]]
    return replace(marks, xyz=np.where(valid[..., None], xyz, 0.0), valid=valid)


@lru_cache(maxsize=1)
def constants() -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64 (178, 3) each, in shoulder widths."""
    path = resources.files("signclip.poses").joinpath("sign_vq_normalization.npz")
    with path.open("rb") as file, np.load(file) as arrays:
        return arrays["mean"], arrays["std"]


def standardise(marks: Landmarks) -> Landmarks:
    """(x - mean) / std per point and dimension; a missing point stays 0, it does not get -mean/std.

    Args:
        marks: the 178 points in the order of the selection ``sign_vq``.
    """
    mean, std = constants()
    return replace(marks, xyz=np.where(marks.valid[..., None], (marks.xyz - mean) / std, 0.0))
