"""Steps on hands: which hand signs, the left hand as the right one, hands without a body.

Decisions
* Which hand signs is decided from the clip's own frames alone, by which hand is detected.
* Hands that were recorded without a body are placed where a signer's hands are, at the size that
  they have beside shoulders (medians of the embedded corpus), so that a model that was trained on
  whole signers can read them. Where the hand really was, and how large, is not known then.

Cost: below 1 ms a clip of 70 frames.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pose_format.pose_header import PoseNormalizationInfo
from pose_format.utils.normalization_3d import PoseNormalizer

from signclip.core.errors import PoseError
from signclip.poses.landmarks import (
    HAND_POINTS,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
    Landmarks,
    index_of,
)

# Medians over the 600 clips of the embedded corpus, in shoulder widths: the distance from the wrist
# to the knuckle of the middle finger, and where the right wrist is (x, y down, from the middle of
# the shoulders; the left wrist on the other side).
TYPICAL_PALM = 0.27
TYPICAL_WRIST = (-0.5, 0.36)


def is_left_handed(landmarks: Landmarks) -> bool:
    """Is only the left hand ever detected in this clip?

    A clip without either hand is not left-handed, so no variant mirrors it: nothing tells which
    hand signs, and a mirrored body alone would only differ from the clips that a model was trained
    on. (The paper's rule for E8, to mirror a clip without a right hand, would mirror it.)
    """
    detected = {
        side: any(
            landmarks.valid[:, i].any()
            for i, (component, _) in enumerate(landmarks.names)
            if component == side
        )
        for side in (LEFT_HAND, RIGHT_HAND)
    }
    return detected[LEFT_HAND] and not detected[RIGHT_HAND]


def signs_with_left(landmarks: Landmarks) -> bool:
    """Is the left hand detected in more than twice as many frames as the right one?

    True for more clips than :func:`is_left_handed`, since a resting hand is detected now and then;
    false where both hands sign together.
    """
    frames = {
        side: sum(
            landmarks.valid[:, i].sum()
            for i, (component, _) in enumerate(landmarks.names)
            if component == side
        )
        for side in (LEFT_HAND, RIGHT_HAND)
    }
    return bool(frames[LEFT_HAND] > 2 * frames[RIGHT_HAND])


def normalise_hands_alone(landmarks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """Centre and scale hands without a body: one transform a clip, in shoulder widths.

    The mean palm becomes :data:`TYPICAL_PALM` long. The mean wrist of the hand that is detected in
    more frames (in equally many: the right one) comes to :data:`TYPICAL_WRIST`, its depth to 0.

    Raises:
        PoseError: no hand is detected, or the palms have no length.
    """
    index = index_of(landmarks.names)
    wrists: dict[str, np.ndarray] = {}
    palms = []
    for side in (RIGHT_HAND, LEFT_HAND):
        names = [(side, point) for point in ("WRIST", "MIDDLE_FINGER_MCP")]
        if not index.keys() >= set(names):
            continue
        ends = [index[name] for name in names]
        detected = landmarks.valid[:, ends].all(axis=1)
        palm = landmarks.xyz[detected][:, ends]
        wrists[side] = palm[:, 0]
        palms.append(np.linalg.norm(palm[:, 1] - palm[:, 0], axis=-1))
    lengths = np.concatenate(palms) if palms else np.zeros(0)
    if not len(lengths):
        raise PoseError(sample, "neither shoulders nor a hand are detected: nothing can be scaled")
    scale = TYPICAL_PALM / lengths.mean() if lengths.mean() > 0 else np.inf
    if not np.isfinite(scale):
        raise PoseError(sample, "the palms of the hands have no length: nothing can be scaled")
    side = max(wrists, key=lambda hand: len(wrists[hand]))  # of equals the first, the right hand
    x, y = TYPICAL_WRIST
    target = np.array([x if side == RIGHT_HAND else -x, y, 0.0])
    xyz = (landmarks.xyz - wrists[side].mean(axis=0)) * scale + target
    return replace(landmarks, xyz=np.where(landmarks.valid[..., None], xyz, 0.0))


def left_hand_as_right(landmarks: Landmarks) -> Landmarks:
    """Put the mirrored left hand (x -> -x) of normalised landmarks in place of the right one."""
    index = index_of(landmarks.names)
    left = [index[name] for name in HANDS[LEFT_HAND]]
    right = [index[name] for name in HANDS[RIGHT_HAND]]
    xyz, valid = landmarks.xyz.copy(), landmarks.valid.copy()
    xyz[:, right] = landmarks.xyz[:, left] * np.array([-1.0, 1.0, 1.0])
    valid[:, right] = landmarks.valid[:, left]
    return replace(landmarks, xyz=xyz, valid=valid)


def normalise_hand(hand: Landmarks) -> Landmarks:
    """Apply the paper's 3-D hand normalisation to one selected hand (21 points).

    In each frame the palm (wrist, knuckles of little and index finger) is rotated to face the
    camera, and the line from wrist to middle knuckle is set upright with length 100. Then the whole
    clip is translated so that its smallest x, y and z are 0. A hand that has collapsed to a point
    or a line cannot be rotated; it is marked as missing in that frame.

    Source: ``hand_normalization`` of the authors' code.
    """
    detected = hand.valid.all(axis=1)  # MediaPipe detects a hand completely or not at all
    xyz, valid = np.zeros_like(hand.xyz), np.zeros_like(hand.valid)
    if not detected.any():
        return replace(hand, xyz=xyz, valid=valid)
    at = {point: i for i, (_, point) in enumerate(hand.names)}
    normaliser = PoseNormalizer(
        plane=PoseNormalizationInfo(at["WRIST"], at["PINKY_MCP"], at["INDEX_FINGER_MCP"]),
        line=PoseNormalizationInfo(at["WRIST"], at["MIDDLE_FINGER_MCP"]),
        size=100,
    )
    masked: np.ma.MaskedArray = np.ma.masked_array(hand.xyz[detected][:, None], mask=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        rotated = normaliser(masked)[:, 0]
    # the normaliser masks what it divided by zero
    detected[detected] = ~np.ma.getmaskarray(rotated).any(axis=(1, 2))
    rotated = rotated.compressed().reshape(-1, HAND_POINTS, 3)
    if len(rotated):
        xyz[detected], valid[detected] = rotated - rotated.min(axis=(0, 1)), True
    return replace(hand, xyz=xyz, valid=valid)
