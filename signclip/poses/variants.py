"""Variants: named ways from a pose to a model's input features.

Decisions
* A variant is a row of :data:`VARIANTS`: which points, in which order, with which normalisation and
  further steps. All share the paper's first steps: centre on the shoulders, scale by their distance
  (one 3-D transform a clip), hide the legs.
* Variants of the hands (``hands_alone``) also take a pose without a body, which is centred and
  scaled by the hands (:mod:`signclip.poses.hands`); the others refuse it.
* A component that a file lacks is undetected points. A missing face is a warning, once a
  process and variant, because for most variants it is two thirds of the input.
* Points are selected last, as in the paper's experiments. (The present head of the authors' code
  selects first, which breaks its hand-only experiments; for the other variants the order does not
  matter.) Mirroring and anonymising come before normalisation, as in the authors' code.

Cost: float64 inside, about 1 ms for a clip of 70 frames once the layout is known; anonymising adds
2 to 3 ms.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from pose_format import Pose

from signclip.core.errors import ConfigError, PoseError
from signclip.poses import sign_vq
from signclip.poses.anonymise import remove_appearance
from signclip.poses.checks import check_pose, check_values
from signclip.poses.hands import (
    is_left_handed,
    left_hand_as_right,
    normalise_hand,
    signs_with_left,
)
from signclip.poses.landmarks import (
    BODY,
    BODY_POINTS,
    FACE,
    FACE_CONTOURS,
    FACE_MESH_POINTS,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
    SIGNING,
    Features,
    Landmarks,
    PointName,
    index_of,
    pairs,
    to_landmarks,
)
from signclip.poses.mirror import mirror_landmarks
from signclip.poses.normalisation import (
    centre_and_scale,
    drop_frames_without_hands,
    has_body,
    hide_legs,
    normalise,
    scale_depth,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """A named way from landmarks to features."""

    points: str  # name of a selection, see select()
    dims: int | None  # None: as many as the file has
    dominant: bool = False  # use the mirrored left hand where the right one is never detected
    hand_normalised: bool = False  # rotate and scale the hand in 3-D (pose-format's PoseNormalizer)
    mirrored: bool = False  # mirror a clip in which only the left hand is detected
    anonymised: bool = False  # replace the first frame's appearance by the mean signer's
    wrists_corrected: bool = False  # the body's wrists become the hands' where these are detected
    hands_shifted: bool = False  # each hand relative to its own wrist
    standardised: bool = False  # by SignVQ's means and standard deviations
    depth_scaled: bool = False  # z in the units of x and y, so that rotations in 3-D make sense
    left_signer_mirrored: bool = False  # mirror a clip that is signed mainly with the left hand
    trimmed: bool = False  # drop frames without a hand
    hands_alone: bool = False  # also takes poses without a body


VARIANTS: dict[str, Variant] = {
    # names and sizes of the paper's configurations
    "reduced_face": Variant("reduced_face", 609),
    "holistic": Variant("holistic", None),  # 1629, or 1659 where the file has the refined face
    "right_hand": Variant("right_hand", 63, hands_alone=True),
    "right_hand_normalized": Variant("right_hand", 63, hand_normalised=True, hands_alone=True),
    "both_hands": Variant("both_hands", 126, hands_alone=True),
    "sign_vq": Variant("sign_vq", 534, hands_shifted=True, standardised=True),  # E6.1
    "sign_vq_unscaled": Variant("sign_vq", 534, hands_shifted=True),  # E6
    "sign_vq_anonymized": Variant(  # E6.2
        "sign_vq", 534, anonymised=True, hands_shifted=True, standardised=True
    ),
    "reduced_face_anonymized": Variant("reduced_face", 609, anonymised=True),
    # E8 and E8.1 as the paper describes them, except that a clip without hands is not mirrored (see
    # is_left_handed); the authors' code mirrors no clip at all
    "reduced_face_mirrored": Variant("reduced_face", 609, mirrored=True),
    "reduced_face_mirrored_anonymized": Variant(
        "reduced_face", 609, mirrored=True, anonymised=True
    ),
    # beyond the paper
    "sign_vq_wrists": Variant(  # E6.1 with the wrist correction that the authors' code intends
        "sign_vq", 534, wrists_corrected=True, hands_shifted=True, standardised=True
    ),
    "holistic_468": Variant("holistic_468", 1629),  # holistic without the ten refined iris points
    "dominant_hand": Variant("right_hand", 63, dominant=True, hands_alone=True),
    "dominant_hand_normalized": Variant(
        "right_hand", 63, dominant=True, hand_normalised=True, hands_alone=True
    ),
    "signing": Variant(  # X rows
        *("signing", 159),
        depth_scaled=True,
        left_signer_mirrored=True,
        trimmed=True,
        hands_alone=True,
    ),
}


def find_variant(name: str) -> Variant:
    """A row of :data:`VARIANTS`.

    Raises:
        ConfigError: no such variant.
    """
    if name not in VARIANTS:
        raise ConfigError(f"unknown variant {name!r}; there are {', '.join(VARIANTS)}")
    return VARIANTS[name]


@lru_cache(maxsize=64)
def _selection(points: str, names: tuple[PointName, ...]) -> tuple[PointName, ...]:
    """The (component, point) pairs of a selection, in its order, for a file's points."""
    body = tuple(name for name in names if name[0] == BODY)
    face = tuple(name for name in names if name[0] == FACE)
    both_hands = HANDS[LEFT_HAND] + HANDS[RIGHT_HAND]
    if points == "right_hand":
        return HANDS[RIGHT_HAND]
    if points == "both_hands":
        return both_hands
    if points == "holistic":
        return body + face + both_hands
    if points == "holistic_468":
        return body + pairs(FACE, tuple(map(str, range(FACE_MESH_POINTS)))) + both_hands
    if points == "signing":
        return SIGNING
    contours = pairs(FACE, tuple(map(str, FACE_CONTOURS)))
    if points == "sign_vq":
        return sign_vq.BODY_POINTS + contours + both_hands
    assert points == "reduced_face", points
    return body + contours + both_hands


def point_names(variant: str) -> tuple[PointName, ...]:
    """(component, point) of a variant's points.

    They hold for files with MediaPipe's 33 body points (and, for ``holistic``, 468 face points).

    Raises:
        ConfigError: no such variant.
    """
    mesh = pairs(FACE, tuple(map(str, range(FACE_MESH_POINTS))))
    return _selection(find_variant(variant).points, pairs(BODY, BODY_POINTS) + mesh)


@lru_cache(maxsize=64)
def needs_face(variant: str) -> bool:
    """Are points of the face among those of the variant?

    Raises:
        ConfigError: no such variant.
    """
    return any(component == FACE for component, _ in point_names(variant))


_said_faceless: set[str] = set()  # variants for which this process has said it


def _say_faceless(variant: str, sample: str) -> None:
    if variant not in _said_faceless:
        _said_faceless.add(variant)
        _log.warning(
            "%s: variant %s needs the face, which the pose lacks; its points are missing (zeros)",
            *(sample, variant),
        )


def select(landmarks: Landmarks, points: str, *, sample: str = "pose") -> Landmarks:
    """Select points by name, in the selection's order.

    A face or hand whose component the file lacks counts as never detected, like one that the
    detector missed: zeros, not valid.

    Raises:
        PoseError: the file has a component, but not all of its wanted points (a face already
            reduced to its contours, or points with other names); zeros there would go unnoticed.
    """
    wanted, index = _selection(points, landmarks.names), index_of(landmarks.names)
    source = np.array([index.get(name, -1) for name in wanted])
    present = source >= 0
    if not present.all():
        components = {component for component, _ in landmarks.names}
        for component, point in wanted:
            if component in components and (component, point) not in index:
                raise PoseError(sample, f"component {component} has no point {point!r}")
    valid = landmarks.valid[:, source] & present
    return Landmarks(
        np.where(valid[..., None], landmarks.xyz[:, source], 0.0), valid, wanted, landmarks.fps
    )


class CheckedPose(NamedTuple):
    """A pose that passed :func:`check_pose`, as arrays; variants never modify them."""

    landmarks: Landmarks
    width: int  # of the picture

    @classmethod
    def of(cls, pose: Pose) -> CheckedPose:
        """Convert a pose that was checked when it was read."""
        return cls(to_landmarks(pose), pose.header.dimensions.width)


def features(pose: Pose | CheckedPose, variant: str, *, sample: str = "pose") -> Features:
    """Compute a variant's features of a pose, with the validity of each point and frame.

    Args:
        pose: as it was read, or :class:`CheckedPose` to compute several variants of one pose.

    Raises:
        ConfigError: no such variant.
        PoseError: the pose fails :func:`check_pose`, its shoulders cannot be used, it has no body
            and the variant needs one, its points are not those of the variant, or the features fail
            :func:`check_values`.
    """
    row = find_variant(variant)
    if isinstance(pose, Pose):
        check_pose(pose, sample=sample)
        pose = CheckedPose.of(pose)
    landmarks, width = pose
    if not (row.hands_alone or has_body(landmarks)):
        able = ", ".join(name for name, other in VARIANTS.items() if other.hands_alone)
        reason = f"no shoulders: the pose has no body, and variant {variant} needs one"
        raise PoseError(sample, f"{reason} (variants that take hands alone: {able})")
    if needs_face(variant) and not any(part == FACE for part, _ in landmarks.names):
        _say_faceless(variant, sample)
    if (row.mirrored and is_left_handed(landmarks)) or (
        row.left_signer_mirrored and signs_with_left(landmarks)
    ):
        landmarks = mirror_landmarks(select(landmarks, row.points, sample=sample), sample=sample)
    landmarks = centre_and_scale(landmarks, sample=sample)
    if row.depth_scaled:
        # after normalising: depth is a guess of the detector, and should not decide the scale
        landmarks = scale_depth(landmarks, width)
    if row.anonymised:
        landmarks = remove_appearance(select(landmarks, row.points, sample=sample), sample=sample)
        landmarks = normalise(landmarks, sample=sample)
    landmarks = hide_legs(landmarks)
    if row.dominant:
        # selecting also adds, as missing, a hand that the file has no component for
        landmarks = select(landmarks, "both_hands", sample=sample)
        if is_left_handed(landmarks):
            landmarks = left_hand_as_right(landmarks)
    chosen = select(landmarks, row.points, sample=sample)
    if row.trimmed:
        chosen = drop_frames_without_hands(chosen)
    if row.hand_normalised:
        chosen = normalise_hand(chosen)
    if row.wrists_corrected:
        chosen = sign_vq.correct_wrists(chosen)
    if row.hands_shifted:
        chosen = sign_vq.shift_hands(chosen)
    if row.standardised:
        chosen = sign_vq.standardise(chosen)
    with np.errstate(over="ignore"):  # check_values refuses what overflows float32
        values = chosen.xyz.astype(np.float32).reshape(len(chosen.xyz), -1)
    if row.dims not in (None, values.shape[1]):
        reason = f"the file's points give {values.shape[1]} dims"
        raise PoseError(sample, f"{reason}, variant {variant} has {row.dims}")
    check_values(values, sample=sample)
    return Features(values, chosen.valid)


def preprocess(pose: Pose, variant: str) -> np.ndarray:
    """Compute a variant's features of a pose: float32 (frames, dims); see :func:`features`."""
    return features(pose, variant).values
