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
from functools import lru_cache
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
    frames, dims = clip.values.shape
    new_frames = temporal_frames(frames, ratio, fps=fps, max_frames=max_frames)
    if new_frames is None:
        return clip
    old, new = _times(frames), _times(new_frames)
    always, seen = clip.valid.all(axis=0), clip.valid.any(axis=0)
    runs = _runs_of_one_course(clip.valid, seen & ~always)
    tracks = clip.values.astype(np.float32, copy=False).reshape(frames, -1, 3)
    courses = [np.flatnonzero(clip.valid[:, run.start]) for run in runs]
    if runs:
        tracks = tracks.copy()
        for run, at in zip(runs, courses, strict=True):
            _fill_gaps(tracks[:, run], at)
    # with its gaps filled on the straight line, a track's interpolation is that of whole clips
    values = _between(tracks.reshape(frames, dims), *_neighbours(old, new))
    points = values.reshape(new_frames, -1, 3)
    valid = np.empty((new_frames, len(always)), dtype=bool)
    valid[:] = always
    for run, at in zip(runs, courses, strict=True):
        first = np.searchsorted(new, old[at[0]])
        last = np.searchsorted(new, old[at[-1]], side="right")
        points[:first, run], points[last:, run] = 0, 0
        valid[first:last, run] = True
    return Features(values, valid)


def _fill_gaps(track: np.ndarray, at: np.ndarray) -> None:
    """Put straight lines between the frames ``at`` of a track (frames, ...), in place."""
    if at[-1] - at[0] + 1 == len(at):
        return
    unseen = np.ones(len(track), dtype=bool)
    unseen[at] = False
    missing = np.flatnonzero(unseen[: at[-1]])[at[0] :]
    after = np.searchsorted(at, missing)
    left, right = at[after - 1], at[after]
    share = ((missing - left) / (right - left)).astype(np.float32)[:, None, None]
    track[missing] = track[left] * (1 - share) + track[right] * share


@lru_cache(maxsize=1024)
def _times(frames: int) -> np.ndarray:
    """When each frame is shown, from 0 to 1."""
    times = np.linspace(0, 1, frames)
    times.flags.writeable = False  # it is shared
    return times


def _neighbours(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each new time the old one before and after it, and their shares, both (n, 2)."""
    rows, shares = np.empty((len(new), 2), np.int64), np.empty((len(new), 2), np.float32)
    before = np.searchsorted(old[1:-1], new, side="right")
    rows[:, 0], rows[:, 1] = before, before + 1
    # the times are equally far apart
    shares[:, 1] = (new - old[before]) * (len(old) - 1)
    shares[:, 0] = 1 - shares[:, 1]
    return rows, shares


def _between(rows: np.ndarray, neighbours: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Weighted sums of two rows each: (old, n), (new, 2), (new, 2) -> (new, n)."""
    # torch has this as one pass over memory, where numpy would need four
    table = torch.from_numpy(rows if rows.flags.writeable else rows.copy())
    shares = torch.from_numpy(shares)
    return embedding_bag(
        torch.from_numpy(neighbours), table, per_sample_weights=shares, mode="sum"
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
