"""Augmentation as pure functions of their draws; drawing is apart and keyed by (seed, epoch, clip).

Decisions
* A function here never touches a random generator, so it can be checked on the numbers that the
  reference drew, and a clip's augmentation does not depend on its batch, on the order of clips or
  on how many processes load them.
* The reference's order is flip, affine, temporal, noise. Draw in that order from one generator.
* Steps that move points between places or frames take and give :class:`Features`, because which
  points were seen goes with them; the others take values only.

Cost, for a clip of 73 frames and 203 points on one busy core: flip 0.15 ms, affine and noise under
0.1 ms, drawing the noise 0.4 ms, temporal 0.5 ms (the reference, point by point: 20 ms); one
generator a clip and epoch, about 20 us.

Values are float32 (frames, points * 3), point-major then x, y, z, in shoulder widths.
Source: facts 3, ``../shared/reference/README.md`` step 6.
"""

from __future__ import annotations

import itertools
import zlib
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from signclip.points import Features


class Affine2D(NamedTuple):
    """Draws of :func:`augment2d`: shear (share of x), rotation (radians), scale (added to 1)."""

    shear: float
    rotation: float
    scale: float


def generator(seed: int, epoch: int, clip: str) -> np.random.Generator:
    """The random numbers of one clip in one epoch."""
    return np.random.default_rng([seed, epoch, zlib.crc32(clip.encode())])


def draw_flip(rng: np.random.Generator, chance: float = 0.2) -> bool:
    """Draw whether to :func:`flip` the clip. The paper's E7 does so with a chance of 0.2."""
    return bool(rng.random() < chance)


def flip(clip: Features, swap: np.ndarray) -> Features:
    """Mirror a clip: x -> -x, left and right swapped.

    The reference normalises again afterwards. A mirrored clip is normalised already (its shoulders
    stay one apart around zero), so that changes nothing but its mask, in which the hidden legs then
    count as missing; here they always do.

    Args:
        clip: of a variant in shoulder widths, such as ``reduced_face``: to standardised values
            (``sign_vq``) x -> -x is no mirror.
        swap: int (points,), where each point's mirror image stands:
            ``mirror.permutation(poses.point_names(variant))``.
    """
    points = clip.values.reshape(len(clip.values), -1, 3)[:, swap]
    points[..., 0] = 0 - points[..., 0]  # not -x: a missing point stays 0, not -0
    return Features(points.reshape(clip.values.shape), clip.valid[:, swap])


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


def draw_tempo(rng: np.random.Generator, std: float = 0.2) -> float:
    """Draw the ratio of :func:`augment_temporal`: N(1, std)."""
    return float(rng.normal(1.0, std))


def temporal_frames(frames: int, ratio: float, *, fps: float, max_frames: int) -> int | None:
    """The number of frames that :func:`augment_temporal` gives; None where it changes nothing.

    The new frame rate is a whole number, so at 25 frames a second the length changes in steps of
    4 %. One frame at least: the reference gives none where a very short clip meets a small ratio.
    """
    if frames <= 1 or frames * ratio >= max_frames:
        return None
    return max(1, round(frames * round(fps * ratio) / fps))


def augment_temporal(clip: Features, ratio: float, *, fps: float, max_frames: int) -> Features:
    """Play a clip slower (ratio > 1: more frames) or faster, by linear interpolation.

    Each point is interpolated over the frames in which it was seen. So a gap between two of them is
    filled and counts as valid afterwards (in training only: a quirk of the reference, whose test
    clips keep their gaps); before the first and after the last the point is missing.

    Args:
        ratio: of the new length to the old one.
        fps: frames a second of the clip.
        max_frames: a clip that would get this long is returned as it is.
    """
    frames = len(clip.values)
    new_frames = temporal_frames(frames, ratio, fps=fps, max_frames=max_frames)
    if new_frames is None:
        return clip
    old, new = np.linspace(0, 1, frames), np.linspace(0, 1, new_frames)
    # all points as if always seen, which costs one pass; what has gaps is then done anew
    values = _between(clip.values, *_neighbours(old, new))
    always, seen = clip.valid.all(axis=0), clip.valid.any(axis=0)
    valid = np.broadcast_to(always, (new_frames, len(always))).copy()
    points = values.reshape(new_frames, -1, 3)
    for run in _runs_of_one_course(clip.valid, seen & ~always):
        at = np.flatnonzero(clip.valid[:, run.start])
        first, last = np.searchsorted(new, old[at[0]]), np.searchsorted(new, old[at[-1]], "right")
        inside = slice(first, last)
        track = clip.values.reshape(frames, -1, 3)[at, run].reshape(len(at), -1)
        moved = _between(track, *_neighbours(old[at], new[inside]))
        points[:, run] = 0
        points[inside, run] = moved.reshape(last - first, run.stop - run.start, 3)
        valid[inside, run] = True
    return Features(values, valid)


def _neighbours(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each new time its two neighbours among the old ones, and their shares, both (n, 2)."""
    before = np.searchsorted(old, new, side="right") - 1
    # a new frame on the last old one has none after it: there the share is 0 of whatever
    after = np.minimum(before + 1, len(old) - 1)
    span = np.where(after > before, old[after] - old[before], 1.0)
    share = ((new - old[before]) / span).astype(np.float32)
    return np.stack([before, after], axis=1), np.stack([1 - share, share], axis=1)


def _between(rows: np.ndarray, neighbours: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Weighted sums of two rows each: (old, n), (new, 2), (new, 2) -> (new, n)."""
    # torch has this as one pass over memory, where numpy would need four
    return embedding_bag(
        torch.from_numpy(neighbours),
        torch.from_numpy(np.require(rows, requirements="CW")),
        per_sample_weights=torch.from_numpy(shares),
        mode="sum",
    ).numpy()


def _runs_of_one_course(valid: np.ndarray, chosen: np.ndarray) -> list[slice]:
    """Neighbouring points, chosen and seen in the same frames: a hand is seen whole or not."""
    breaks = np.flatnonzero((valid[:, 1:] != valid[:, :-1]).any(axis=0)) + 1
    edges = [0, *breaks.tolist(), valid.shape[1]]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if chosen[a]]


def draw_noise(rng: np.random.Generator, shape: tuple[int, int], std: float = 0.001) -> np.ndarray:
    """Draw the noise of :func:`gaussian_noise`: N(0, std) in shoulder widths, float32."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(std)


def gaussian_noise(values: np.ndarray, noise: np.ndarray, disturbed: np.ndarray) -> np.ndarray:
    """Add noise to some of the points.

    Args:
        values: float32 (frames, points * 3).
        noise: as many numbers.
        disturbed: bool (frames, points). The seen points (``valid``) are what is meant. The
            reference disturbs its hidden legs too, which are zero but not masked, though only where
            noise is the only step: each other one masks them again. Its E7.3 is
            ``valid | poses.hidden_legs(names)``; with a temporal step before, just ``valid`` (of
            the result), or again with the legs for a clip that was too long for that step.
    """
    return values + noise.astype(np.float32) * np.repeat(disturbed, 3, axis=1)
