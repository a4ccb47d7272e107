"""From features to what MMAction2's skeleton models take.

Decisions
* Frames in which no hand is seen are left out: lead-in and lead-out say nothing, and the middle is
  what a short clip is about. A clip without any hand keeps its frames.
* Frames are taken one from each of ``frames`` equal parts of the clip: in training at a place drawn
  from (seed, epoch, clip), when measured in the part's middle (several views: at even places). A
  clip of fewer frames is stretched, where MMAction2's ``UniformSampleFrames`` begins again at its
  start; and that reseeds numpy's global generator when testing, which this does not.
* Hands may be drawn in one size and place (``hand_reach``): frame by frame with the wrist in the
  middle of the shoulders and the farthest point that many shoulder widths away. As they are, a hand
  is a tenth of the picture, and where it is held and the build of the signer change it more than
  many a letter does. Where it is held, the arm's own wrist still says.
* Joints are x, y and a score, 1 for a seen point and 0 with a place of 0 for another, in the scale
  that ``PreNormalize2D`` gives to what :mod:`baselines.skeletons.annotations` exports.
* A bone is the step from the parent (:mod:`baselines.skeletons.graph`), motion the step to the next frame,
  each with the mean score of both ends, as in MMAction2's ``JointToBone`` and ``ToMotion``. Unlike
  there a step is 0 unless both ends are seen: else a hand that appears would be a leap.
* Maps of points and of limbs (a point and its parent) are ``GeneratePoseTarget``'s, number for
  number, all frames at once; the square that they show lies around the seen points of the taken
  frames (``PoseCompact``).

Cost, a clip of 24 frames and 57 points: 0.1 ms; 22 maps of points of 28 x 28 for 8 frames: 1 ms, of
limbs 2 to 4 ms. (A published clip: 48 frames, 57 points, 56 x 56: 25 ms and 160 ms.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from baselines.skeletons.graph import Skeleton
from signclip.poses.landmarks import Features

Array = TypeVar("Array")  # of numbers: numpy's, or a tensor
STREAMS = ("joint", "bone", "joint_motion", "bone_motion")
MAPS = ("heat_map", "limb_map")  # of points, of limbs
HALF_PICTURE = (
    2.0  # shoulder widths from a picture's middle to its edge, see baselines.skeletons.annotations
)
PADDING = 0.25  # PoseCompact's, of the square that heat maps show
LEAST = 1e-3  # half of that square's side, shoulder widths: points that coincide are still shown


class Track(NamedTuple):
    """A clip's points: ``places`` float32 (frames, points, 2), shoulder widths; ``seen`` bool."""

    places: np.ndarray
    seen: np.ndarray  # (frames, points)


def track(clip: Features, skeleton: Skeleton, hand_reach: float | None = None) -> Track:
    """The skeleton's points of a clip of :data:`baselines.skeletons.graph.VARIANT`, frames with a hand.

    Args:
        hand_reach: shoulder widths; None leaves hands as large as they are.
    """
    columns = list(skeleton.columns)
    seen = clip.valid[:, columns]
    kept = seen[:, skeleton.hands].any(axis=1)
    if not kept.any():
        kept[:] = True
    places = clip.values.reshape(len(clip.values), -1, 3)[kept][:, columns, :2]
    seen = seen[kept]
    places = np.where(seen[..., None], places, np.float32(0))
    if hand_reach is not None:
        for hand in skeleton.of_hands:
            _redraw(places, seen, hand, hand_reach)
    return Track(places, seen)


def _redraw(places: np.ndarray, seen: np.ndarray, hand: list[int], reach: float) -> None:
    """Draw a hand, its wrist first, in one size about the origin, in place."""
    shape = (places[:, hand] - places[:, hand[:1]]) * seen[:, hand, None]
    size = np.linalg.norm(shape, axis=-1).max(axis=1)[:, None, None]
    places[:, hand] = shape * np.divide(reach, size, out=np.zeros_like(size), where=size > LEAST)


def drawn_frames(count: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """One frame of each of ``frames`` equal parts of a clip, drawn: int (frames,), ascending."""
    return ((np.arange(frames) + rng.random(frames)) * count / frames).astype(np.int64)


def even_frames(count: int, frames: int, view: int = 0, views: int = 1) -> np.ndarray:
    """The same without chance: each part's middle, or one of several even places."""
    share = (view + 0.5) / views
    return ((np.arange(frames) + share) * count / frames).astype(np.int64)


def taken(whole: Track, at: np.ndarray) -> Track:
    """Some frames of a clip."""
    return Track(whole.places[at], whole.seen[at])


def hands_alone(clip: Track, skeleton: Skeleton) -> Track:
    """As if nothing but the hands were seen."""
    seen = np.zeros_like(clip.seen)
    seen[:, skeleton.hands] = clip.seen[:, skeleton.hands]
    return Track(clip.places * seen[..., None], seen)


def bent(clip: Track, rng: np.random.Generator, std: float) -> Track:
    """Sheared, turned and scaled at random (:func:`signclip.training.augmentation.augment2d`)."""
    from signclip.training import augmentation  # torch, which a recipe's names alone do not need

    frames, points = clip.seen.shape
    deep = np.zeros((frames, points, 3), dtype=np.float32)
    deep[..., :2] = clip.places
    draws = augmentation.draw_affine2d(rng, std)
    places = augmentation.augment2d(deep.reshape(frames, -1), draws).reshape(deep.shape)
    return clip._replace(places=places[..., :2])


def joints(clips: Sequence[Track]) -> np.ndarray:
    """Clips of as many frames to float32 (clips, frames, points, 3): x, y, score."""
    places = np.stack([clip.places for clip in clips]) / np.float32(HALF_PICTURE)
    seen = np.stack([clip.seen for clip in clips])[..., None]
    return np.concatenate([places, seen], axis=-1).astype(np.float32)


def _steps(here: Array, there: Array) -> Array:
    """Steps from there to here; 0 unless both are seen, and the mean of their scores."""
    steps = here - there
    steps[..., :2] *= (here[..., 2:] >= 1) & (there[..., 2:] >= 1)  # half: one end of a bone
    steps[..., 2] = (here[..., 2] + there[..., 2]) / 2
    return steps


def bones(points: Array, skeleton: Skeleton) -> Array:
    """Steps from each point's parent, (..., points, 3) -> the same; a root's is 0."""
    return _steps(points, points[..., list(skeleton.parents), :])


def motion(points: Array) -> Array:
    """Steps to the next frame, (clips, frames, points, 3) -> the same; the last frame's is 0."""
    steps = 0 * points
    steps[:, :-1] = _steps(points[:, 1:], points[:, :-1])
    return steps


def stream(name: str, points: Array, skeleton: Skeleton) -> Array:
    """A stream of :data:`STREAMS` of joints (clips, frames, points, 3), the same shape."""
    if name.startswith("bone"):
        points = bones(points, skeleton)
    return motion(points) if name.endswith("motion") else points


def maps_of(name: str, clip: Track, skeleton: Skeleton, size: int, sigma: float) -> np.ndarray:
    """A stream of :data:`MAPS` of a clip: float32 (maps, frames, size, size), rows are y."""
    if name == "heat_map":
        return heat_maps(clip, size, sigma)
    return limb_maps(clip, skeleton, size, sigma)


def heat_maps(clip: Track, size: int, sigma: float) -> np.ndarray:
    """Maps of where each point is: float32 (points, frames, size, size), rows are y."""
    places = in_square(clip, size)
    along = [_bumps(places[..., axis], size, sigma) for axis in (1, 0)]
    along[0] *= clip.seen[..., None]
    shown = along[0][..., :, None] * along[1][..., None, :]  # (frames, points, size, size)
    return shown.swapaxes(0, 1)


def limb_maps(clip: Track, skeleton: Skeleton, size: int, sigma: float) -> np.ndarray:
    """Maps of the steps to parents: float32 (limbs, frames, size, size), rows are y.

    A limb shows where both its ends are seen; one shorter than a pixel shows as its point.
    """
    points, parents = map(list, zip(*skeleton.inward, strict=True))
    places = in_square(clip, size)
    start, along = places[:, points], places[:, parents] - places[:, points]
    squared = (along**2).sum(axis=-1)[..., None, None]  # (frames, limbs, 1, 1)
    along *= squared[..., 0] >= 1
    at = np.arange(size, dtype=np.float32)
    # how far each column and each row lies from the start
    off = [(at - start[..., 0, None])[..., None, :], (at - start[..., 1, None])[..., :, None]]
    step = [along[..., axis, None, None] for axis in (0, 1)]
    share = (off[0] * step[0] + off[1] * step[1]) / np.maximum(squared, 1)
    share = share.clip(0, 1)  # of the way to the parent, where the nearest place is
    distance = (off[0] - share * step[0]) ** 2 + (off[1] - share * step[1]) ** 2
    low, high = np.minimum(start, start + along), np.maximum(start, start + along)
    near = [_near(low[..., axis], high[..., axis], at, sigma) for axis in (0, 1)]
    both = (clip.seen[:, points] & clip.seen[:, parents])[..., None, None]
    shown = np.exp(-distance / np.float32(2 * sigma**2))
    shown = shown * (near[0][..., None, :] & near[1][..., :, None] & both)
    return shown.swapaxes(0, 1).astype(np.float32)


def in_square(clip: Track, size: int) -> np.ndarray:
    """Places in pixels of the square around all seen points: float32 (frames, points, 2)."""
    there = clip.places[clip.seen]
    if not len(there):
        return np.zeros_like(clip.places)
    low, high = there.min(axis=0), there.max(axis=0)
    half = max(float((high - low).max()) / 2 * (1 + PADDING), LEAST)
    return ((clip.places - (low + high) / 2 + half) * (size / (2 * half))).astype(np.float32)


def _bumps(centres: np.ndarray, size: int, sigma: float) -> np.ndarray:
    """Gaussian bumps on a line, cut off as in ``GeneratePoseTarget``: (..., size)."""
    at = np.arange(size, dtype=np.float32)
    shown = np.exp(-((at - centres[..., None]) ** 2) / np.float32(2 * sigma**2))
    return (shown * _near(centres, centres, at, sigma)).astype(np.float32)


def _near(low: np.ndarray, high: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """Which pixels ``GeneratePoseTarget`` draws for what reaches from low to high: (..., size)."""
    first, last = np.trunc(low - 3 * sigma), np.trunc(high + 3 * sigma)
    return (at >= first[..., None]) & (at <= last[..., None])
