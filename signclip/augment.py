"""Augmentation as pure functions of their draws; drawing is apart and keyed by (seed, epoch, clip).

Decision: a function here never touches a random generator, so it can be checked on the numbers that
the reference drew, and a clip's augmentation does not depend on its batch, on the order of clips or
on how many processes load them. Cost: one generator a clip and epoch, about 20 us.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np


class Affine2D(NamedTuple):
    """Draws of :func:`augment2d`: shear (share of x), rotation (radians), scale (added to 1)."""

    shear: float
    rotation: float
    scale: float


def generator(seed: int, epoch: int, clip: str) -> np.random.Generator:
    """The random numbers of one clip in one epoch."""
    return np.random.default_rng([seed, epoch, zlib.crc32(clip.encode())])


def draw_affine2d(rng: np.random.Generator, std: float = 0.2) -> Affine2D:
    """Draw shear, rotation and scale, each N(0, std). Source: pose-format ``augment2d``."""
    return Affine2D(*rng.normal(0.0, std, size=3))


def augment2d(values: np.ndarray, draws: Affine2D) -> np.ndarray:
    """Shear, rotate and scale x and y; z stays.

    Args:
        values: float32 (frames, points * 3), point-major.
        draws: the transform is ``[[1, shear], [0, 1]] @ rotation @ diag(1, 1 + scale)``, applied to
            row vectors. Missing points are zero and stay zero.
    """
    cos, sin = np.cos(draws.rotation), np.sin(draws.rotation)
    matrix = np.eye(3)
    matrix[:2, :2] = (
        np.array([[1.0, draws.shear], [0.0, 1.0]])
        @ np.array([[cos, -sin], [sin, cos]])
        @ np.diag([1.0, 1.0 + draws.scale])
    )
    points = values.reshape(len(values), -1, 3)
    return (points @ matrix.astype(np.float32)).reshape(values.shape)
