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
import math
import threading
import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

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


def augment_temporal(
    clip: Features, ratio: float, *, fps: float, max_frames: int, out: np.ndarray | None = None
) -> Features:
    """Play a clip slower (ratio > 1: more frames) or faster, by linear interpolation.

    Each point is interpolated over the frames in which it was seen. So a gap between two of them is
    filled and counts as valid afterwards (in training only: a quirk of the reference, whose test
    clips keep their gaps); before the first and after the last the point is missing.

    Args:
        ratio: of the new length to the old one.
        fps: frames a second of the clip.
        max_frames: a clip that would get this long is returned as it is.
        out: float32 (:func:`temporal_frames`, points * 3) that the values are written into and
            returned as, by default a new array. A clip that is returned as it is leaves it alone.
    """
    frames, dims = clip.values.shape
    new_frames = temporal_frames(frames, ratio, fps=fps, max_frames=max_frames)
    if new_frames is None:
        return clip
    values = np.empty((new_frames, dims), dtype=np.float32) if out is None else out
    times = _times(frames, new_frames)
    clip = clip._replace(values=clip.values.astype(np.float32, copy=False))
    both = _scratch((new_frames, 2, dims))
    # numpy buffers what it takes unless told how to treat rows that are not there
    clip.values.take(times.neighbours, axis=0, out=both, mode="clip")
    # torch has this as one pass over memory, where numpy would need three
    start, end = torch.from_numpy(both).unbind(1)
    torch.lerp(start, end, times.share, out=torch.from_numpy(values))
    valid = np.empty((new_frames, clip.valid.shape[1]), dtype=bool)
    valid[:] = clip.valid[0]  # so it is for points that are seen always or never
    for run in _runs_of_one_course(clip.valid):
        at = clip.valid[:, run.start].nonzero()[0]
        if 0 < len(at) < frames:
            own = slice(3 * run.start, 3 * run.stop)
            shown = _across_gaps(clip.values[:, own], at, times, values[:, own])
            valid[:, run] = False
            valid[shown, run] = True
    return Features(values, valid)


_PAIR = np.arange(2)  # a frame and the next
_kept = threading.local()


def _scratch(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array in memory that the next call in this thread takes again: new one is slow."""
    size = math.prod(shape)
    if getattr(_kept, "room", np.empty(0)).size < size:
        _kept.room = np.empty(size, dtype=np.float32)
    return _kept.room[:size].reshape(shape)


class _Times(NamedTuple):
    """Where each of n new frames stands among the old ones, of which there are two at least."""

    # from 0 to 1, as the reference has them: rounding decides what is shown at the same time
    old: np.ndarray  # float64 (frames,)
    new: np.ndarray  # float64 (n,)
    neighbours: np.ndarray  # int (n, 2), the old frames before and after
    share: torch.Tensor  # float32 (n, 1), of the one after


@lru_cache(maxsize=4096)
def _times(frames: int, new_frames: int) -> _Times:
    old, new = np.linspace(0, 1, frames), np.linspace(0, 1, new_frames)
    before = np.searchsorted(old[1:-1], new, side="right")
    share = (new - old[before]) * (frames - 1)
    return _Times(
        old, new, before[:, None] + _PAIR, torch.from_numpy(share.astype(np.float32))[:, None]
    )


def _across_gaps(track: np.ndarray, at: np.ndarray, times: _Times, played: np.ndarray) -> slice:
    """Correct the interpolation of points that are seen in the frames ``at`` only.

    Args:
        track: float32 (frames, dims), the points in the old frames.
        played: float32 (n, dims), interpolated as if they were seen always; is changed.

    Returns:
        the new frames in which they are shown.
    """
    seen = times.old[at]
    first, last = times.new.searchsorted(seen[0]), times.new.searchsorted(seen[-1], side="right")
    played[:first], played[last:] = 0, 0
    shown = slice(first, last)
    if at[-1] - at[0] + 1 > len(at):
        now = times.new[shown]
        before = seen[1:-1].searchsorted(now, side="right")
        share = (now - seen[before]) / (seen[before + 1] - seen[before])
        share = share.astype(np.float32)
        start, end = track[at[before]], track[at[before + 1]]
        end -= start
        end *= share[:, None]
        np.add(start, end, out=played[shown])
    return shown


def _runs_of_one_course(valid: np.ndarray) -> list[slice]:
    """Neighbouring points that are seen in the same frames: a hand is seen whole or not."""
    breaks = (valid[:, 1:] != valid[:, :-1]).any(axis=0).nonzero()[0] + 1
    edges = [0, *breaks.tolist(), valid.shape[1]]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


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
