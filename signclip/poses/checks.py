"""Refusing poses and features that would reach a model as nonsense.

Decision: pose-format loads damaged files without complaint, so every pose is checked once (one
person, at least one frame, values of sane magnitude, something detected) and refused with
one typed error. The coordinates of a point that was not detected are ignored and may be anything.
A point with coordinates that are not finite is a missing point, whatever its confidence: published
files hold such hands, and the frames around them are good.
Cost: below 1 ms a clip.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from pose_format import Pose

from signclip.core.errors import PoseError

NUMBER_KINDS = "biuf"  # numpy's kinds of real numbers

# Coordinates are pixels. MediaPipe extrapolates legs outside the picture by several times its size;
# a flipped exponent bit is off by many orders of magnitude.
MAX_COORDINATE = 1e6
# Features of the embedded clips stay below 40 shoulder widths (400 when standardised, 3000 for
# rotated and scaled hands). Nearly coinciding shoulders make them grow until float32 overflows.
MAX_FEATURE = 1e6


def check_pose(pose: Pose, *, sample: str = "pose") -> None:
    """Refuse a damaged pose.

    Raises:
        PoseError: the body does not consist of numpy arrays of numbers, or its shapes contradict
            each other or the header; there is no frame, not exactly one person, or no detected
            point; a detected point has absurd coordinates; a confidence is not finite; or the frame
            rate is not positive and finite.
    """
    for what, values in (("data", pose.body.data), ("confidence", pose.body.confidence)):
        if not isinstance(values, np.ndarray) or values.dtype.kind not in NUMBER_KINDS:
            kind = getattr(values, "dtype", None) or type(values).__name__
            raise PoseError(sample, f"the body's {what} is not a numpy array of numbers ({kind})")
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
    finite = np.isfinite(confidence)
    if not finite.all():
        frame = int(np.argwhere(~finite)[0][0])
        raise PoseError(sample, f"confidence not finite (first in frame {frame})")
    detected = detected_points(pose)
    fps = pose.body.fps
    if not (isinstance(fps, Real) and np.isfinite(float(fps)) and float(fps) > 0):
        raise PoseError(sample, f"frame rate of {fps} a second")
    if not detected.any():
        raise PoseError(sample, "no point is detected in any frame")
    largest = float(np.abs(data[detected]).max())
    if largest > MAX_COORDINATE:
        raise PoseError(
            sample, f"absurd coordinate {largest:.3g} (limit {MAX_COORDINATE:.0e} pixels)"
        )


def detected_points(pose: Pose) -> np.ndarray:
    """Which points have a confidence and finite coordinates: bool (frames, people, points)."""
    found: np.ndarray = np.ma.getdata(pose.body.confidence) != 0
    return found & np.isfinite(np.ma.getdata(pose.body.data)).all(axis=-1)


def points_not_finite(pose: Pose) -> int:
    """How many points have a confidence, but coordinates that are not finite."""
    return int((np.ma.getdata(pose.body.confidence) != 0).sum() - detected_points(pose).sum())


def check_values(values: np.ndarray, *, sample: str = "pose") -> None:
    """Refuse features that are unusable as a model's input.

    Raises:
        PoseError: they are not finite, or larger than :data:`MAX_FEATURE`.
    """
    if not np.isfinite(values).all():
        raise PoseError(sample, "features are not finite")
    largest = float(np.abs(values).max(initial=0))
    if largest > MAX_FEATURE:
        raise PoseError(sample, f"absurd feature {largest:.3g} (limit {MAX_FEATURE:.0e})")
