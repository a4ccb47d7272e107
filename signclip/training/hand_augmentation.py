"""Augmentation of signing hands (beyond the paper): other hands, other viewpoints.

Decisions
* The most similar distractors of a clip are other letters of the same signer, so the properties
  that identify a signer are varied: orientation and proportions of the hand, lengths of the
  fingers, precision of the hand shape and of its detection, and the frames of the clip.
* Functions take their draws as arguments, as in :mod:`signclip.training.augmentation`; ``STEPS``
  draws and applies. A missing hand stays zeros.

Cost: 0.1 to 0.2 ms a clip of 25 frames for all steps.

Values are float32 (frames, 159) of the variant ``signing``, in shoulder widths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from signclip.poses.landmarks import (
    HAND_PARENT,
    HAND_POINTS,
    SIGNING,
    SIGNING_LEFT,
    SIGNING_RIGHT,
    Features,
)

TURN = 0.25  # standard deviation of the rotation about each axis, radians
STRETCH = 0.08  # standard deviation of the scale along each axis, and of a bone's length
# Standard deviation of a point's displacement, for a clip and for a frame, in reaches of the hand.
SHAPE, FLICKER = 0.02, 0.005
CROPPED = 0.3  # largest share of the frames that is cut off at either end
DROPPED = 0.2  # share of the other frames that is left out
DRAWS = 256  # random numbers for frames; longer clips repeat them


def _chains() -> np.ndarray:
    """float32 (21, 21): the bones, by the point they end in, between the wrist and each point."""
    chains = np.zeros((HAND_POINTS, HAND_POINTS), dtype=np.float32)
    for point in range(1, HAND_POINTS):
        chains[point] = chains[HAND_PARENT[point]]
        chains[point, point] = 1
    return chains


_CHAINS = _chains()


class Crop(NamedTuple):
    """The frames of a clip that are kept.

    Attributes:
        start, end: shares of the frames that are cut off.
        chance: float (DRAWS,) in [0, 1): frames with a number below ``DROPPED`` are left out.
    """

    start: float
    end: float
    chance: np.ndarray

    def kept(self, frames: int) -> np.ndarray:
        """The mask bool (frames,) of kept frames; all of them if none would be left."""
        first, last = int(self.start * frames), int(np.ceil((1 - self.end) * frames))
        kept = np.resize(self.chance, frames) >= DROPPED
        kept[:first] = kept[last:] = False
        return kept if kept.any() else np.ones(frames, dtype=bool)


def draw_crop(rng: np.random.Generator) -> Crop:
    """Draw a :class:`Crop`: both shares uniform up to ``CROPPED``."""
    start, end = rng.uniform(0, CROPPED, size=2)
    return Crop(start, end, rng.random(DRAWS))


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation about x, then y, then z by angles in radians: float64 (3, 3), for row vectors."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def transform(clip: Features, matrix: np.ndarray) -> np.ndarray:
    """Transform each hand about its wrist by a (3, 3) matrix for row vectors."""
    points = _points(clip)
    for hand in (SIGNING_LEFT, SIGNING_RIGHT):
        wrist = points[:, hand.start, None].copy()
        points[:, hand] = (points[:, hand] - wrist) @ matrix.astype(np.float32) + wrist
    return points.reshape(clip.values.shape)


def stretch_bones(clip: Features, factors: np.ndarray) -> np.ndarray:
    """Change the lengths of bones, in both hands and all frames alike.

    Args:
        factors: (21,), for the bone that ends in each point.
    """
    points = _points(clip)
    for hand in (SIGNING_LEFT, SIGNING_RIGHT):
        before = points[:, hand]
        bones = (before - before[:, HAND_PARENT]) * factors.astype(np.float32)[:, None]
        points[:, hand] = before[:, :1] + _CHAINS @ bones
    return points.reshape(clip.values.shape)


def displace(clip: Features, shape: np.ndarray, flicker: np.ndarray) -> np.ndarray:
    """Displace the points of detected hands; displacements are in reaches of the hand.

    Args:
        shape: (42, 3), of the points of both hands, the same in all frames.
        flicker: (frames, 42, 3), of each frame.
    """
    points = _points(clip)
    both = points[:, SIGNING_LEFT.start :].reshape(len(points), 2, HAND_POINTS, 3)
    reach = np.linalg.norm(both - both[:, :, :1], axis=-1).max(axis=-1)
    moved = (shape + flicker).astype(np.float32).reshape(both.shape)
    moved *= reach[:, :, None, None]  # 0 for a missing hand
    points[:, SIGNING_LEFT.start :] += moved.reshape(len(points), 2 * HAND_POINTS, 3)
    return points.reshape(clip.values.shape)


def _points(clip: Features) -> np.ndarray:
    """A copy: float32 (frames, points, 3)."""
    return np.array(clip.values, dtype=np.float32).reshape(len(clip.values), len(SIGNING), 3)


def _affine3d(clip: Features, rng: np.random.Generator) -> np.ndarray:
    turned = rotation(rng.normal(0, TURN, size=3))
    return transform(clip, turned @ np.diag(rng.normal(1, STRETCH, size=3)))


def _bones(clip: Features, rng: np.random.Generator) -> np.ndarray:
    return stretch_bones(clip, rng.normal(1, STRETCH, size=HAND_POINTS))


def _jitter(clip: Features, rng: np.random.Generator) -> np.ndarray:
    of_points = (2 * HAND_POINTS, 3)
    flicker = rng.standard_normal((len(clip.values), *of_points), dtype=np.float32)
    return displace(clip, rng.normal(0, SHAPE, size=of_points), FLICKER * flicker)


STEPS: dict[str, Callable[[Features, np.random.Generator], np.ndarray]] = {
    "affine3d": _affine3d,
    "bones": _bones,
    "jitter": _jitter,
}
