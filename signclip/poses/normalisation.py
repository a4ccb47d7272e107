"""Steps on the landmarks of a whole body: normalise, hide the legs, scale depth, drop frames.

Decision: every step takes :class:`Landmarks` and returns new ones; a missing point is (0, 0, 0)
before and after. Cost: below 1 ms a clip of 70 frames.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from signclip.core.errors import PoseError
from signclip.poses.hands import normalise_hands_alone
from signclip.poses.landmarks import BODY, HANDS, Landmarks, PointName, index_of

HIDDEN_LEGS = tuple(
    f"{side}_{joint}"
    for joint in ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")  # not the hips, unlike pose-format
    for side in ("LEFT", "RIGHT")
)


def normalise(landmarks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """Centre on the middle of the shoulders and scale by their distance: one transform a clip.

    Centre and distance (in x, y and z) are means over the frames in which both shoulders are
    detected. Source: ``pose.normalize`` of the authors' code on RIGHT_SHOULDER and LEFT_SHOULDER.

    Raises:
        PoseError: the shoulders are never both detected, or they coincide.
    """
    index = index_of(landmarks.names)
    try:
        right, left = index[(BODY, "RIGHT_SHOULDER")], index[(BODY, "LEFT_SHOULDER")]
    except KeyError:
        raise PoseError(sample, f"no shoulders: there is no {BODY} component") from None
    detected = landmarks.valid[:, right] & landmarks.valid[:, left]
    if not detected.any():
        raise PoseError(sample, "the shoulders are never both detected, so nothing can be scaled")
    r, l_ = landmarks.xyz[detected, right], landmarks.xyz[detected, left]
    width = float(np.linalg.norm(r - l_, axis=-1).mean())
    if width <= 0:
        raise PoseError(sample, "the shoulders coincide, so nothing can be scaled")
    centre = ((r + l_) / 2).mean(axis=0)
    xyz = np.where(landmarks.valid[..., None], (landmarks.xyz - centre) / width, 0.0)
    return replace(landmarks, xyz=xyz)


def has_body(landmarks: Landmarks) -> bool:
    """Is any point of the body detected in any frame? Corpora of hands alone have none."""
    of_body = np.array([component == BODY for component, _ in landmarks.names])
    return bool(landmarks.valid[:, of_body].any())


def centre_and_scale(landmarks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """:func:`normalise` by the shoulders; a pose without a body by its hands.

    Raises:
        PoseError: there is a body, but its shoulders cannot be used; or there is neither body nor
            hand.
    """
    if has_body(landmarks):
        return normalise(landmarks, sample=sample)
    return normalise_hands_alone(landmarks, sample=sample)


def hidden_legs(names: tuple[PointName, ...]) -> np.ndarray:
    """bool (points,): the points that :func:`hide_legs` marks as missing."""
    return np.array([part == BODY and point in HIDDEN_LEGS for part, point in names])


def hide_legs(landmarks: Landmarks) -> Landmarks:
    """Mark knees and below as missing: signers are filmed to the hips, so these are guesses."""
    valid = landmarks.valid & ~hidden_legs(landmarks.names)
    xyz = np.where(valid[..., None], landmarks.xyz, 0.0)
    return replace(landmarks, xyz=xyz, valid=valid)


def scale_depth(landmarks: Landmarks, picture_width: float) -> Landmarks:
    """Bring z to the scale of x and y.

    MediaPipe gives z as a share of the picture's width; pose-format multiplies only x and y by the
    picture's size.
    """
    return replace(landmarks, xyz=landmarks.xyz * np.array([1.0, 1.0, picture_width]))


def drop_frames_without_hands(landmarks: Landmarks) -> Landmarks:
    """Leave out the frames in which no hand is detected; a clip without any hand is unchanged."""
    of_hand = np.array([component in HANDS for component, _ in landmarks.names])
    kept = landmarks.valid[:, of_hand].any(axis=1)
    if not kept.any():
        return landmarks
    return replace(landmarks, xyz=landmarks.xyz[kept], valid=landmarks.valid[kept])
