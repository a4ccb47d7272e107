"""Augmentation as pure functions of their random draws, which are keyed by (seed, epoch, clip).

Decisions
* Drawing and applying are separate functions. So each step can be checked with the numbers that the
  authors' code drew, and a clip's augmentation depends neither on its batch, nor on the order of
  clips, nor on the number of loader processes.
* The order of the authors' code is flip, affine, temporal, noise. Draw in that order from one
  generator.
* Steps that move points to other places or frames take and return :class:`Features`, because the
  validity of the points moves with them; the others take values only.

Cost, for a clip of 73 frames and 203 points on one busy core: flip 0.15 ms, affine and noise under
0.1 ms, drawing the noise 0.4 ms, temporal 0.1 ms (the authors' code, point by point: 20 ms); a
generator for a clip and epoch 15 us, in a batch 5 us.

Values are float32 (frames, points * 3), point-major then x, y, z, in shoulder widths.
Source: github.com/J22Melody/fairseq, examples/MMPT; pose-format's ``augment2d``, ``interpolate``.
"""

from __future__ import annotations

import itertools
import threading
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence

from signclip.poses.landmarks import Features


class Affine2D(NamedTuple):
    """Draws of :func:`augment2d`: shear (share of x), rotation (radians), scale (added to 1)."""

    shear: float
    rotation: float
    scale: float


def generator(seed: int, epoch: int, clip: str) -> np.random.Generator:
    """The random generator of one clip in one epoch."""
    return np.random.default_rng([seed, epoch, zlib.crc32(clip.encode())])


def generators(seed: int, clips: Sequence[tuple[int, str]]) -> list[np.random.Generator]:
    """:func:`generator` for many (epoch, clip), in a third of the time."""
    words = [(seed, epoch, zlib.crc32(clip.encode())) for epoch, clip in clips]
    if any(
        not 0 <= word < 1 << 32 for row in words for word in row
    ):  # numpy would split larger ones
        return [generator(seed, epoch, clip) for epoch, clip in clips]
    states = _seed_states(np.array(words, dtype=np.uint32).reshape(-1, 3))
    return [np.random.Generator(np.random.PCG64(cast(Any, _Seed(state)))) for state in states]


class _Seed(ISeedSequence):
    """A seed for numpy's PCG64 whose state was already computed."""

    def __init__(self, state: np.ndarray):
        self.state = state

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return self.state


def _seed_states(words: np.ndarray) -> np.ndarray:
    """The states of numpy's SeedSequence for all rows at once; the algorithm is fixed (NEP 19).

    Args:
        words: uint32 (n, 3).

    Returns:
        uint64 (n, 4).
    """
    factor = 0x43B0D7E5

    def hashed(word: np.ndarray, step: int) -> np.ndarray:
        nonlocal factor
        word = word ^ np.uint32(factor)
        factor = factor * step & 0xFFFFFFFF
        return folded(word * np.uint32(factor))

    def folded(word: np.ndarray) -> np.ndarray:
        return word ^ word >> np.uint32(16)

    pool = [hashed(word, 0x931E8875) for word in (*words.T, np.zeros(len(words), np.uint32))]
    for i, j in itertools.permutations(range(4), 2):
        other = hashed(pool[i], 0x931E8875) * np.uint32(0x4973F715)
        pool[j] = folded(pool[j] * np.uint32(0xCA01F9DD) - other)
    factor = 0x8B51F9DD
    state = [hashed(pool[i % 4], 0x58F38DED) for i in range(8)]
    return np.stack(state, axis=1).view(np.uint64)


def draw_flip(rng: np.random.Generator, chance: float = 0.2) -> bool:
    """Draw whether to :func:`flip` a clip; the probability in the paper's E7 is 0.2."""
    return bool(rng.random() < chance)


def flip(clip: Features, swap: np.ndarray) -> Features:
    """Mirror a clip: x -> -x, left and right swapped.

    The authors' code normalises again afterwards. A mirrored clip is still normalised (its
    shoulders stay at distance 1 around zero), so that changes only the mask, in which the hidden
    legs then count as missing; here they always do.

    Args:
        clip: of a variant in shoulder widths, such as ``reduced_face``; for standardised values
            (``sign_vq``) x -> -x is not a reflection.
        swap: int (points,), the index of each point's mirror image:
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
    """The number of frames after :func:`augment_temporal`; None if it leaves the clip unchanged.

    The new frame rate is an integer, so at 25 frames a second the length changes in steps of 4 %.
    At least one frame: the authors' code returns none for a very short clip and a small ratio.
    """
    if frames <= 1 or frames * ratio >= max_frames:
        return None
    return max(1, round(frames * round(fps * ratio) / fps))


def augment_temporal(
    clip: Features, ratio: float, *, fps: float, max_frames: int, out: np.ndarray | None = None
) -> Features:
    """Play a clip slower (ratio > 1: more frames) or faster, by linear interpolation.

    Each point is interpolated over the frames in which it was detected. So gaps between these
    frames are filled and count as valid afterwards (in training only: in the authors' code too,
    test clips keep their gaps); before the first and after the last of them the point is missing.

    Args:
        ratio: of the new length to the old one.
        fps: frames a second of the clip.
        max_frames: a clip that would get this long is returned unchanged.
        out: float32 (:func:`temporal_frames`, points * 3), which receives the values; by default a
            new array. For a clip that is returned unchanged it is not used.
    """
    frames, dims = clip.values.shape
    new_frames = temporal_frames(frames, ratio, fps=fps, max_frames=max_frames)
    if new_frames is None:
        return clip
    values = np.empty((new_frames, dims), dtype=np.float32) if out is None else out
    times = _times(frames, new_frames)
    source = clip.values.astype(np.float32, copy=False)
    both, start, end = _scratch.neighbours(new_frames, dims)
    # without a mode for indices out of range, numpy would buffer the output
    source.take(times.neighbours, axis=0, out=both, mode="clip")
    # one pass over memory in torch, three in numpy
    torch.lerp(start, end, times.share, out=torch.from_numpy(values))
    valid = np.empty((new_frames, clip.valid.shape[1]), dtype=bool)
    valid[:] = clip.valid[0]  # correct for points that are detected always or never
    for run in _runs_of_equal_validity(clip.valid):
        at = clip.valid[:, run.start].nonzero()[0]
        if 0 < len(at) < frames:
            columns = slice(3 * run.start, 3 * run.stop)
            shown = _across_gaps(source[:, columns], at, times, values[:, columns])
            valid[:, run] = False
            valid[shown, run] = True
    return Features(values, valid)


_PAIR = np.arange(2)  # offsets of a frame and the next


class _Scratch(threading.local):
    """Memory that the next call in this thread reuses, because allocating it is slow."""

    def __init__(self):
        self.room = np.empty(0, dtype=np.float32)
        self.made: dict[tuple[int, int], tuple[np.ndarray, torch.Tensor, torch.Tensor]] = {}

    def neighbours(self, frames: int, dims: int) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
        """A buffer float32 (frames, 2, dims), and views of the first and second of each pair."""
        if (frames, dims) not in self.made:
            size = 2 * frames * dims
            if self.room.size < size:
                self.room = np.empty(size, dtype=np.float32)
                self.made.clear()  # frees the smaller buffer
            both = self.room[:size].reshape(frames, 2, dims)
            start, end = torch.from_numpy(both).unbind(1)
            self.made[frames, dims] = both, start, end
        return self.made[frames, dims]


_scratch = _Scratch()


class _Times(NamedTuple):
    """The position of each of n new frames among the old ones, of which there are at least two."""

    # from 0 to 1, as in the authors' code: rounding decides which frames coincide
    old: np.ndarray  # float64 (frames,)
    new: np.ndarray  # float64 (n,)
    first: list[int]  # for each old frame, the first new frame that is not before it
    last: list[int]  # for each old frame, the first new frame after it
    neighbours: np.ndarray  # int (n, 2), the old frames before and after
    share: torch.Tensor  # float32 (n, 1), weight of the old frame after


@lru_cache(maxsize=4096)
def _times(frames: int, new_frames: int) -> _Times:
    old, new = np.linspace(0, 1, frames), np.linspace(0, 1, new_frames)
    before = np.searchsorted(old[1:-1], new, side="right")
    share = (new - old[before]) * (frames - 1)
    return _Times(
        old,
        new,
        new.searchsorted(old).tolist(),
        new.searchsorted(old, side="right").tolist(),
        before[:, None] + _PAIR,
        torch.from_numpy(share.astype(np.float32))[:, None],
    )


def _across_gaps(track: np.ndarray, at: np.ndarray, times: _Times, played: np.ndarray) -> slice:
    """Correct the interpolation of points that were detected only in the frames ``at``.

    Args:
        track: float32 (frames, dims), the points in the old frames.
        played: float32 (n, dims), interpolated as if they were always detected; modified.

    Returns:
        the new frames in which the points are valid.
    """
    first, last = times.first[at[0]], times.last[at[-1]]
    played[:first], played[last:] = 0, 0
    shown = slice(first, last)
    if at[-1] - at[0] + 1 > len(at):
        now, seen, places = times.new[shown], times.old[at], track[at]
        before = seen[1:-1].searchsorted(now, side="right")
        share = (now - seen[before]) / (seen[1:] - seen[:-1])[before]
        way = (places[1:] - places[:-1]).take(before, axis=0)
        way *= share.astype(np.float32)[:, None]
        np.add(places.take(before, axis=0), way, out=played[shown])
    return shown


def _runs_of_equal_validity(valid: np.ndarray) -> list[slice]:
    """Group neighbouring points that are valid in the same frames, such as those of a hand."""
    # Compared as one long row, which takes a quarter of the time of many short rows; there a
    # frame's last point is also compared with the first of the next frame, which is cut off below.
    changes = np.zeros(valid.shape, dtype=bool)
    row = valid.reshape(-1)
    np.not_equal(row[1:], row[:-1], out=changes.reshape(-1)[:-1])
    breaks = np.logical_or.reduce(changes, axis=0)[:-1].nonzero()[0] + 1
    edges = [0, *breaks.tolist(), valid.shape[1]]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def draw_noise(rng: np.random.Generator, shape: tuple[int, ...], std: float = 0.001) -> np.ndarray:
    """Draw the noise of :func:`gaussian_noise`: N(0, std) in shoulder widths, float32."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(std)


def gaussian_noise(values: np.ndarray, noise: np.ndarray, disturbed: np.ndarray) -> np.ndarray:
    """Add noise to some of the points.

    Args:
        values: float32 (frames, points * 3).
        noise: of the same shape.
        disturbed: bool (frames, points), the points that get noise: the detected ones (``valid``).
            The authors' code also disturbs the hidden legs, which are zero but not masked, if noise
            is the only step, because each other step masks them again. So E7.3 is
            ``valid | poses.hidden_legs(names)``; after a temporal step it is ``valid`` of the
            result, or with the legs for a clip that was too long for that step.
    """
    return values + noise.astype(np.float32) * np.repeat(disturbed, 3, axis=1)
