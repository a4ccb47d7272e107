"""From a ``.pose`` file to the numbers that reach the model.

Decisions
* Reading is wrapped once: pose-format loads damaged files without a word, so every pose is checked
  (one person, at least one frame, finite, sane magnitude, something detected) and refused with one
  typed error. What lies under a point that was not detected is no datum, so it may be anything.
* A *variant* is a named row: which points, in which order, with which normalisation, and which
  further steps (:mod:`signclip.poses.mirror`, :mod:`signclip.poses.anonymise`, :mod:`signclip.poses.sign_vq`). All
  share the paper's first steps: centre on the shoulders, scale by their distance (one transform a
  clip, 3-D), hide the legs. Selection comes last, as in the paper's experiments (at the reference's
  present head it comes first, which breaks its hand-only rows; for body variants the order does not
  matter). Mirroring and anonymising come before all that, as in the reference.
* A missing point is (0, 0, 0), the middle of the shoulders, as in the reference; which points were
  seen is kept beside the numbers.

Cost: float64 inside, about 1 ms for a clip of 70 frames once the layout is known; anonymising
takes 2 to 3 ms more.

Units: normalised coordinates are shoulder widths; ``z`` is about 100 times smaller than ``x`` and
``y`` in MediaPipe files, because pose-format scales only the latter by the picture size (the
variant ``signing`` makes up for it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pose_format import Pose
from pose_format.pose_header import PoseNormalizationInfo
from pose_format.utils.normalization_3d import PoseNormalizer

from signclip.core.errors import ConfigError, PoseError
from signclip.poses import sign_vq
from signclip.poses.anonymise import remove_appearance
from signclip.poses.landmarks import (
    BODY,
    BODY_POINTS,
    FACE,
    FACE_CONTOURS,
    HAND_POINTS,
    HANDS,
    LEFT_HAND,
    RIGHT_HAND,
    SIGNING,
    WORLD,
    Features,
    Landmarks,
    Name,
    index_of,
    pairs,
)
from signclip.poses.mirror import mirror

NUMBERS = "biuf"  # kinds of NumPy types that are real numbers

# Coordinates are pixels. MediaPipe extrapolates legs out of the picture by several times its size;
# a flipped exponent bit is off by many orders of magnitude.
MAX_COORDINATE = 1e6
# Features of the embedded clips stay below 40 shoulder widths (400 standardised, 3000 of hands that
# are turned and scaled). Shoulders that all but coincide blow them up until float32 gives NaN.
MAX_FEATURE = 1e6

FACE_MESH_POINTS = 468  # with refined irises MediaPipe adds 10 behind them
HIDDEN_LEGS = tuple(
    f"{side}_{joint}"
    for joint in ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")  # the hips stay, unlike in pose-format's
    for side in ("LEFT", "RIGHT")
)


@dataclass(frozen=True)
class Variant:
    """A named way from landmarks to features."""

    points: str  # name of a selection, see select()
    dims: int | None  # None: as many as the file has
    dominant: bool = False  # take the left hand, mirrored, where the right one is never seen
    hand_normalised: bool = False  # rotate and scale the hand in 3-D (pose-format's PoseNormalizer)
    mirrored: bool = False  # a clip of the left hand alone is mirrored whole (is_left_handed)
    anonymised: bool = False  # the first frame's appearance is replaced by the mean signer's
    wrists_corrected: bool = False  # the body's wrists are the hands' where these are seen
    hands_shifted: bool = False  # each hand relative to its own wrist
    standardised: bool = False  # by SignVQ's means and standard deviations
    deep: bool = False  # z in the units of x and y, so that distances and turns are in space
    signing_hand: bool = False  # a clip signed with the left hand is mirrored whole
    trimmed: bool = False  # frames without a hand are left out


VARIANTS: dict[str, Variant] = {
    # names and sizes of the paper's configurations
    "reduced_face": Variant("reduced_face", 609),
    "holistic": Variant("holistic", None),  # 1629, or 1659 where the file has the refined face
    "right_hand": Variant("right_hand", 63),
    "right_hand_normalized": Variant("right_hand", 63, hand_normalised=True),
    "both_hands": Variant("both_hands", 126),
    "sign_vq": Variant("sign_vq", 534, hands_shifted=True, standardised=True),  # E6.1
    "sign_vq_unscaled": Variant("sign_vq", 534, hands_shifted=True),  # E6
    "sign_vq_anonymized": Variant(  # E6.2
        "sign_vq", 534, anonymised=True, hands_shifted=True, standardised=True
    ),
    "reduced_face_anonymized": Variant("reduced_face", 609, anonymised=True),
    # E8 and E8.1 as the paper describes them, but a clip with neither hand is left alone (see
    # is_left_handed); the reference mirrors no clip
    "reduced_face_mirrored": Variant("reduced_face", 609, mirrored=True),
    "reduced_face_mirrored_anonymized": Variant(
        "reduced_face", 609, mirrored=True, anonymised=True
    ),
    # ours
    "sign_vq_wrists": Variant(  # E6.1 with the wrist correction that the reference means to do
        "sign_vq", 534, wrists_corrected=True, hands_shifted=True, standardised=True
    ),
    "holistic_468": Variant("holistic_468", 1629),  # holistic without the ten refined iris points
    "dominant_hand": Variant("right_hand", 63, dominant=True),
    "dominant_hand_normalized": Variant("right_hand", 63, dominant=True, hand_normalised=True),
    "signing": Variant("signing", 159, deep=True, signing_hand=True, trimmed=True),  # X rows
}


def read_pose(path: Path | str) -> Pose:
    """Read and check a ``.pose`` file.

    Raises:
        PoseError: missing, empty, truncated or otherwise unreadable; or :func:`check_pose` fails.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PoseError(path, f"cannot be read ({error.strerror})") from None
    except ValueError as error:  # a NUL, or a lone surrogate: no file can have such a name
        raise PoseError(path, f"cannot be read ({error})") from None
    return parse_pose(data, sample=str(path))


def parse_pose(data: bytes, *, sample: str = "pose") -> Pose:
    """:func:`read_pose` for the bytes of a file; ``sample`` is the name that errors give it."""
    if not data:
        raise PoseError(sample, "the file is empty")
    if not any(data):
        raise PoseError(sample, "the file holds only zero bytes")
    try:
        pose = Pose.read(data)
    except Exception as error:  # pose-format raises four kinds, from struct.error to MemoryError
        raise PoseError(
            sample, f"not a whole .pose file ({type(error).__name__}: {error})"
        ) from None
    check_pose(pose, sample=sample)
    return pose


def check_pose(pose: Pose, *, sample: str = "pose") -> None:
    """Refuse a pose that would reach the model as nonsense.

    Raises:
        PoseError: a body that is not made of NumPy arrays of numbers, or whose shapes contradict
            each other or the header; no frame, more or fewer than one person, no point detected
            anywhere; a detected point with NaN or infinite or absurd coordinates, a confidence that
            is not finite, or a frame rate that is not positive and finite.
    """
    for what, values in (("data", pose.body.data), ("confidence", pose.body.confidence)):
        if not isinstance(values, np.ndarray) or values.dtype.kind not in NUMBERS:
            kind = getattr(values, "dtype", None) or type(values).__name__
            raise PoseError(sample, f"the body's {what} is no NumPy array of numbers ({kind})")
    data, confidence = np.ma.getdata(pose.body.data), np.ma.getdata(pose.body.confidence)
    points = sum(len(component.points) for component in pose.header.components)
    if data.ndim != 4 or data.shape[2] != points or data.shape[3] < 3:
        raise PoseError(
            sample, f"body of shape {data.shape} does not fit a header of {points} points"
        )
    if data.shape[0] == 0:
        raise PoseError(sample, "no frames")
    if data.shape[1] != 1:
        raise PoseError(sample, f"{data.shape[1]} people; exactly one is expected")
    if confidence.shape != data.shape[:3]:
        raise PoseError(
            sample, f"confidence of shape {confidence.shape} does not fit a body of {data.shape}"
        )
    seen = confidence != 0
    for what, finite in (
        ("confidence", np.isfinite(confidence)),
        ("coordinates", np.isfinite(data).all(axis=-1) | ~seen),
    ):
        if not finite.all():
            frame = int(np.argwhere(~finite)[0][0])
            raise PoseError(sample, f"{what} not finite (first in frame {frame})")
    fps = pose.body.fps
    if not (isinstance(fps, Real) and np.isfinite(fps) and fps > 0):
        raise PoseError(sample, f"frame rate of {fps} a second")
    if not seen.any():
        raise PoseError(sample, "no point is detected in any frame")
    largest = float(np.abs(data[seen]).max())
    if largest > MAX_COORDINATE:
        raise PoseError(
            sample, f"absurd coordinate {largest:.3g} (limit {MAX_COORDINATE:.0e} pixels)"
        )


def check_values(values: np.ndarray, *, sample: str = "pose") -> None:
    """Refuse features that a model would turn into nonsense.

    Raises:
        PoseError: they are not finite, or larger than :data:`MAX_FEATURE`.
    """
    if not np.isfinite(values).all():
        raise PoseError(sample, "features are not finite")
    largest = float(np.abs(values).max(initial=0))
    if largest > MAX_FEATURE:
        raise PoseError(sample, f"absurd feature {largest:.3g} (limit {MAX_FEATURE:.0e})")


def landmarks(pose: Pose) -> Landmarks:
    """A checked pose as arrays, without the world landmarks."""
    names = tuple(
        (component.name, point)
        for component in pose.header.components
        for point in component.points
    )
    valid = np.asarray(pose.body.confidence)[:, 0] != 0
    xyz = np.ma.getdata(pose.body.data)[:, 0, :, :3].astype(np.float64)
    keep = np.array([component != WORLD for component, _ in names])
    xyz, valid = xyz[:, keep], valid[:, keep]
    names = tuple(name for name in names if name[0] != WORLD)
    return Landmarks(np.where(valid[..., None], xyz, 0.0), valid, names, float(pose.body.fps))


@lru_cache(maxsize=64)
def _selection(points: str, names: tuple[Name, ...]) -> tuple[Name, ...]:
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


def point_names(variant: str) -> tuple[Name, ...]:
    """(component, point) of a variant's points, for files with MediaPipe's 33 body points (and, for
    ``holistic``, 468 face points).

    Raises:
        ConfigError: no such variant.
    """
    mesh = pairs(FACE, tuple(map(str, range(FACE_MESH_POINTS))))
    return _selection(_row(variant).points, pairs(BODY, BODY_POINTS) + mesh)


def _row(variant: str) -> Variant:
    if variant not in VARIANTS:
        raise ConfigError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    return VARIANTS[variant]


def select(marks: Landmarks, points: str, *, sample: str = "pose") -> Landmarks:
    """Pick points by name, in the selection's order.

    A face or hand that the file has no component for counts as never detected, like one that the
    detector missed: zeros, not valid.

    Raises:
        PoseError: the file has the component, but not all of the wanted points (a face already
            reduced to its contours, or points of other names): zeros there would go unnoticed.
    """
    wanted, index = _selection(points, marks.names), index_of(marks.names)
    source = np.array([index.get(name, -1) for name in wanted])
    present = source >= 0
    if not present.all():
        components = {component for component, _ in marks.names}
        for component, point in wanted:
            if component in components and (component, point) not in index:
                raise PoseError(sample, f"component {component} has no point {point!r}")
    valid = marks.valid[:, source] & present
    return Landmarks(
        np.where(valid[..., None], marks.xyz[:, source], 0.0), valid, wanted, marks.fps
    )


def normalise(marks: Landmarks, *, sample: str = "pose") -> Landmarks:
    """Centre on the middle of the shoulders and scale by their distance: one transform a clip.

    Centre and distance (x, y and z) are means over the frames in which both shoulders are seen.
    Source: reference ``pose.normalize`` on RIGHT_SHOULDER, LEFT_SHOULDER; facts 3.4.

    Raises:
        PoseError: the shoulders are never both detected, or coincide.
    """
    index = index_of(marks.names)
    try:
        right, left = index[(BODY, "RIGHT_SHOULDER")], index[(BODY, "LEFT_SHOULDER")]
    except KeyError:
        raise PoseError(sample, f"no shoulders: there is no {BODY} component") from None
    seen = marks.valid[:, right] & marks.valid[:, left]
    if not seen.any():
        raise PoseError(sample, "the shoulders are never both detected, so nothing can be scaled")
    r, l_ = marks.xyz[seen, right], marks.xyz[seen, left]
    width = float(np.linalg.norm(r - l_, axis=-1).mean())
    if width <= 0:
        raise PoseError(sample, "the shoulders coincide, so nothing can be scaled")
    centre = ((r + l_) / 2).mean(axis=0)
    return replace(marks, xyz=np.where(marks.valid[..., None], (marks.xyz - centre) / width, 0.0))


def hidden_legs(names: tuple[Name, ...]) -> np.ndarray:
    """bool (points,): the points that :func:`hide_legs` hides."""
    return np.array([part == BODY and point in HIDDEN_LEGS for part, point in names])


def hide_legs(marks: Landmarks) -> Landmarks:
    """Knees and below become missing: signers are filmed to the hips, the rest is guessed."""
    valid = marks.valid & ~hidden_legs(marks.names)
    return replace(marks, xyz=np.where(valid[..., None], marks.xyz, 0.0), valid=valid)


def is_left_handed(marks: Landmarks) -> bool:
    """Only the left hand is ever seen in this clip (decided from the clip's own frames alone).

    A clip with neither hand is not, so no variant mirrors it: nothing tells which hand signs, and
    turning the body alone would only make it unlike the clips that a model was trained on. (Taken
    literally, the paper's rule for E8, to mirror a clip without a right hand, would turn it.)
    """
    seen = {
        side: any(
            marks.valid[:, i].any() for i, (part, _) in enumerate(marks.names) if part == side
        )
        for side in (LEFT_HAND, RIGHT_HAND)
    }
    return seen[LEFT_HAND] and not seen[RIGHT_HAND]


def signs_with_left(marks: Landmarks) -> bool:
    """The left hand is seen in more than twice as many frames as the right one.

    More often than :func:`is_left_handed`, since a resting hand flickers into sight; and two hands
    that sign together stay as they are.
    """
    frames = {
        side: sum(
            marks.valid[:, i].sum() for i, (part, _) in enumerate(marks.names) if part == side
        )
        for side in (LEFT_HAND, RIGHT_HAND)
    }
    return bool(frames[LEFT_HAND] > 2 * frames[RIGHT_HAND])


def deepen(marks: Landmarks, picture_width: float) -> Landmarks:
    """z on the scale of x and y: MediaPipe's is a share of the picture's width in all three, and
    pose-format multiplies only x and y by the picture's size.
    """
    return replace(marks, xyz=marks.xyz * np.array([1.0, 1.0, picture_width]))


def without_empty_frames(marks: Landmarks) -> Landmarks:
    """Leave out frames in which no hand is seen; a clip without any hand stays as it is."""
    of_hand = np.array([part in HANDS for part, _ in marks.names])
    seen = marks.valid[:, of_hand].any(axis=1)
    if not seen.any():
        return marks
    return replace(marks, xyz=marks.xyz[seen], valid=marks.valid[seen])


def left_hand_as_right(marks: Landmarks) -> Landmarks:
    """Mirror the left hand of normalised landmarks (x -> -x) into the place of the right one."""
    index = index_of(marks.names)
    left = [index[name] for name in HANDS[LEFT_HAND]]
    right = [index[name] for name in HANDS[RIGHT_HAND]]
    xyz, valid = marks.xyz.copy(), marks.valid.copy()
    xyz[:, right] = marks.xyz[:, left] * np.array([-1.0, 1.0, 1.0])
    valid[:, right] = marks.valid[:, left]
    return replace(marks, xyz=xyz, valid=valid)


def normalise_hand(hand: Landmarks) -> Landmarks:
    """The paper's 3-D hand normalisation of one selected hand (21 points).

    Frame by frame, the palm (wrist, little-finger and index knuckles) is turned to face the camera
    and wrist to middle knuckle set upright at length 100; then the clip is moved so that its
    smallest x, y and z are 0. Source: reference ``hand_normalization``, facts section 3. A hand
    that is no more than a point or a line cannot be turned: its frame counts as not seen.
    """
    seen = hand.valid.all(axis=1)  # MediaPipe sees a hand whole or not at all
    xyz, valid = np.zeros_like(hand.xyz), np.zeros_like(hand.valid)
    if not seen.any():
        return replace(hand, xyz=xyz, valid=valid)
    at = {point: i for i, (_, point) in enumerate(hand.names)}
    normaliser = PoseNormalizer(
        plane=PoseNormalizationInfo(at["WRIST"], at["PINKY_MCP"], at["INDEX_FINGER_MCP"]),
        line=PoseNormalizationInfo(at["WRIST"], at["MIDDLE_FINGER_MCP"]),
        size=100,
    )
    masked = np.ma.masked_array(hand.xyz[seen][:, None], mask=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = normaliser(masked)[:, 0]
    seen[seen] = ~np.ma.getmaskarray(turned).any(axis=(1, 2))  # masked where it divided by zero
    turned = turned.compressed().reshape(-1, HAND_POINTS, 3)
    if len(turned):
        xyz[seen], valid[seen] = turned - turned.min(axis=(0, 1)), True
    return replace(hand, xyz=xyz, valid=valid)


class Checked(NamedTuple):
    """A pose that passed :func:`check_pose`, as arrays; variants leave them as they are."""

    marks: Landmarks
    width: int  # of the picture

    @classmethod
    def of(cls, pose: Pose) -> Checked:
        """For a pose that was checked when it was read."""
        return cls(landmarks(pose), pose.header.dimensions.width)


def features(pose: Pose | Checked, variant: str, *, sample: str = "pose") -> Features:
    """Features of a pose with the validity of each point and frame.

    Args:
        pose: as it was read, or :class:`Checked`, which several variants can be made of.

    Raises:
        ConfigError: no such variant.
        PoseError: the pose fails :func:`check_pose`, its shoulders cannot be used, its points are
            not those of the variant, or what comes out fails :func:`check_values`.
    """
    row = _row(variant)
    if isinstance(pose, Pose):
        check_pose(pose, sample=sample)
        pose = Checked.of(pose)
    marks, width = pose
    if (row.mirrored and is_left_handed(marks)) or (row.signing_hand and signs_with_left(marks)):
        marks = mirror(select(marks, row.points, sample=sample), sample=sample)
    marks = normalise(marks, sample=sample)
    if row.deep:
        # not before: depth is the detector's guess, and the width of the shoulders would hang on it
        marks = deepen(marks, width)
    if row.anonymised:
        marks = remove_appearance(select(marks, row.points, sample=sample), sample=sample)
        marks = normalise(marks, sample=sample)
    marks = hide_legs(marks)
    if row.dominant:
        marks = select(marks, "both_hands", sample=sample)  # also where the file has one hand only
        if is_left_handed(marks):
            marks = left_hand_as_right(marks)
    chosen = select(marks, row.points, sample=sample)
    if row.trimmed:
        chosen = without_empty_frames(chosen)
    if row.hand_normalised:
        chosen = normalise_hand(chosen)
    if row.wrists_corrected:
        chosen = sign_vq.correct_wrists(chosen)
    if row.hands_shifted:
        chosen = sign_vq.shift_hands(chosen)
    if row.standardised:
        chosen = sign_vq.standardise(chosen)
    with np.errstate(over="ignore"):  # what does not fit float32 is refused below
        values = chosen.xyz.astype(np.float32).reshape(len(chosen.xyz), -1)
    if row.dims not in (None, values.shape[1]):
        reason = f"the file's points give {values.shape[1]} dims"
        raise PoseError(sample, f"{reason}, variant {variant} has {row.dims}")
    check_values(values, sample=sample)
    return Features(values, chosen.valid)


def preprocess(pose: Pose, variant: str) -> np.ndarray:
    """Features of a pose: float32 (frames, dims). See :data:`VARIANTS` and :func:`features`."""
    return features(pose, variant).values
