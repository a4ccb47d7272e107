"""From features to the inputs of MMAction2's skeleton models.

Decisions
* Frames without a detected hand are dropped: lead-in and lead-out carry no sign, and they would
  outweigh the middle of a short clip. A clip without any hand keeps its frames.
* A clip is divided into ``frames`` equal parts, and each part gives one frame: in training at a
  position drawn from (seed, epoch, clip), in evaluation the middle (with several views: at even
  positions). A shorter clip is stretched, where MMAction2's ``UniformSampleFrames`` starts again at
  its first frame; and that transform reseeds numpy's global generator in evaluation, which this
  code does not.
* Hands may be normalised (``hand_reach``): frame by frame, the wrist moves to the middle of the
  shoulders and the farthest point to that many shoulder widths from it. Otherwise a hand is a tenth
  of the picture, and its position and the signer's build change the input more than many a letter
  does. The arm's own wrist still gives the hand's position.
* Joints are x, y and a score: 1 for a detected point, 0 with coordinates of 0 for a missing one.
  Their scale is that of ``PreNormalize2D`` applied to an export of
  :mod:`baselines.skeletons.annotations`.
* A bone is the vector from the parent (:mod:`baselines.skeletons.graph`), motion the vector to the
  next frame, each with the mean score of both ends, as in MMAction2's ``JointToBone`` and
  ``ToMotion``. In contrast to those, a vector is 0 unless both ends are detected: otherwise a hand
  that appears would be a jump.
* Heat maps of points and of limbs (a point and its parent) equal those of ``GeneratePoseTarget``
  number for number, all frames at once; they show the square around the detected points of the
  sampled frames (``PoseCompact``).

Cost, for a clip of 24 frames and 57 points: 0.1 ms; 22 point maps of 28 x 28 for 8 frames: 1 ms,
limb maps 2 to 4 ms. (At the published size of 48 frames, 57 points and 56 x 56: 25 ms and 160 ms.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from baselines.skeletons.graph import Skeleton
from signclip.poses.landmarks import Features

Array = TypeVar("Array")  # a numpy array or a torch tensor
STREAMS = ("joint", "bone", "joint_motion", "bone_motion")
MAPS = ("heat_map", "limb_map")
# shoulder widths from a picture's middle to its edge, see baselines.skeletons.annotations
HALF_PICTURE = 2.0
PADDING = 0.25  # PoseCompact's, a share of the square that the maps show
MIN_SIZE = 1e-3  # shoulder widths, of half that square's side and of a hand that is normalised


class Keypoints(NamedTuple):
    """A clip's keypoints, in shoulder widths from the middle of the shoulders."""

    xy: np.ndarray  # float32 (frames, points, 2)
    detected: np.ndarray  # bool (frames, points)


def frames_with_hands(clip: Features, skeleton: Skeleton) -> np.ndarray:
    """The frames in which a hand is detected; all frames of a clip without any: int (kept,)."""
    hands = np.array(skeleton.columns)[skeleton.hands]
    kept = clip.valid[:, hands].any(axis=1)
    return np.flatnonzero(kept) if kept.any() else np.arange(len(kept))


def keypoints(
    clip: Features,
    skeleton: Skeleton,
    hand_reach: float | None = None,
    frames: np.ndarray | None = None,
) -> Keypoints:
    """The skeleton's points of a clip.

    Args:
        clip: features of :data:`baselines.skeletons.graph.VARIANT`.
        hand_reach: size of normalised hands in shoulder widths; None leaves hands as they are.
        frames: some of :func:`frames_with_hands`, int (frames,); None: all of them.
    """
    if frames is None:
        frames = frames_with_hands(clip, skeleton)
    at = np.ix_(frames, skeleton.columns)
    detected = clip.valid[at]
    xy = clip.values.reshape(len(clip.values), -1, 3)[at][..., :2]
    xy = np.where(detected[..., None], xy, np.float32(0))
    if hand_reach is not None:
        for hand in skeleton.each_hand:
            _normalise_hand(xy, detected, hand, hand_reach)
    return Keypoints(xy, detected)


def _normalise_hand(xy: np.ndarray, detected: np.ndarray, hand: list[int], reach: float) -> None:
    """Move a hand's wrist, its first point, to the origin and scale it to ``reach``, in place."""
    shape = (xy[:, hand] - xy[:, hand[:1]]) * detected[:, hand, None]
    size = np.linalg.norm(shape, axis=-1).max(axis=1)[:, None, None]
    xy[:, hand] = shape * np.divide(reach, size, out=np.zeros_like(size), where=size > MIN_SIZE)


def random_frames(count: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """A random frame of each of ``frames`` equal parts of a clip: int (frames,), ascending."""
    return ((np.arange(frames) + rng.random(frames)) * count / frames).astype(np.int64)


def uniform_frames(count: int, frames: int, view: int = 0, views: int = 1) -> np.ndarray:
    """The middle frame of each part, or one of several even positions: int (frames,)."""
    share = (view + 0.5) / views
    return ((np.arange(frames) + share) * count / frames).astype(np.int64)


def hands_alone(clip: Keypoints, skeleton: Skeleton) -> Keypoints:
    """A clip in which only the points of the hands count as detected."""
    detected = np.zeros_like(clip.detected)
    detected[:, skeleton.hands] = clip.detected[:, skeleton.hands]
    return Keypoints(clip.xy * detected[..., None], detected)


def random_affine(clip: Keypoints, rng: np.random.Generator, std: float) -> Keypoints:
    """Shear, rotate and scale at random (:func:`signclip.training.augmentation.augment2d`)."""
    from signclip.training import augmentation  # imports torch, which reading recipes must not

    frames, points = clip.detected.shape
    xyz = np.zeros((frames, points, 3), dtype=np.float32)
    xyz[..., :2] = clip.xy
    draws = augmentation.draw_affine2d(rng, std)
    xyz = augmentation.augment2d(xyz.reshape(frames, -1), draws).reshape(xyz.shape)
    return clip._replace(xy=xyz[..., :2])


def joints(clips: Sequence[Keypoints]) -> np.ndarray:
    """Clips of equal length as float32 (clips, frames, points, 3): x, y, score."""
    xy = np.stack([clip.xy for clip in clips]) / np.float32(HALF_PICTURE)
    score = np.stack([clip.detected for clip in clips])[..., None]
    return np.concatenate([xy, score], axis=-1).astype(np.float32)


def _difference(end: Array, start: Array) -> Array:
    """Vectors from start to end with their mean score; 0 unless both are detected."""
    vectors = end - start
    vectors[..., :2] *= (end[..., 2:] >= 1) & (start[..., 2:] >= 1)  # 0.5: one end of a bone
    vectors[..., 2] = (end[..., 2] + start[..., 2]) / 2
    return vectors


def bones(points: Array, skeleton: Skeleton) -> Array:
    """Vectors from each point's parent, (..., points, 3) -> the same shape; 0 for a root."""
    return _difference(points, points[..., list(skeleton.parents), :])


def motion(points: Array) -> Array:
    """Vectors to the next frame, (clips, frames, points, 3) -> the same; 0 for the last frame."""
    vectors = 0 * points
    vectors[:, :-1] = _difference(points[:, 1:], points[:, :-1])
    return vectors


def stream(name: str, points: Array, skeleton: Skeleton) -> Array:
    """A stream of :data:`STREAMS` from joints (clips, frames, points, 3), in the same shape."""
    if name.startswith("bone"):
        points = bones(points, skeleton)
    return motion(points) if name.endswith("motion") else points


def map_stream(
    name: str, clip: Keypoints, skeleton: Skeleton, size: int, sigma: float
) -> np.ndarray:
    """A stream of :data:`MAPS` of a clip: float32 (maps, frames, size, size); rows are y."""
    if name == "heat_map":
        return heat_maps(clip, size, sigma)
    return limb_maps(clip, skeleton, size, sigma)


def heat_maps(clip: Keypoints, size: int, sigma: float) -> np.ndarray:
    """A Gaussian at each point: float32 (points, frames, size, size); rows are y."""
    pixels = to_pixels(clip, size)
    rows, columns = (_gaussians(pixels[..., axis], size, sigma) for axis in (1, 0))
    rows *= clip.detected[..., None]
    maps = rows[..., :, None] * columns[..., None, :]  # (frames, points, size, size)
    return maps.swapaxes(0, 1)


def limb_maps(clip: Keypoints, skeleton: Skeleton, size: int, sigma: float) -> np.ndarray:
    """A Gaussian along each edge to a parent: float32 (limbs, frames, size, size); rows are y.

    A limb is drawn where both ends are detected; one shorter than a pixel is drawn as its point.
    """
    points, parents = map(list, zip(*skeleton.inward, strict=True))
    pixels = to_pixels(clip, size)
    start, along = pixels[:, points], pixels[:, parents] - pixels[:, points]
    squared = (along**2).sum(axis=-1)[..., None, None]  # (frames, limbs, 1, 1)
    along *= squared[..., 0] >= 1
    at = np.arange(size, dtype=np.float32)
    # offset of each column and of each row from the start
    offset = [(at - start[..., 0, None])[..., None, :], (at - start[..., 1, None])[..., :, None]]
    step = [along[..., axis, None, None] for axis in (0, 1)]
    share = (offset[0] * step[0] + offset[1] * step[1]) / np.maximum(squared, 1)
    share = share.clip(0, 1)  # of the way to the parent, at the limb's nearest point
    distance = (offset[0] - share * step[0]) ** 2 + (offset[1] - share * step[1]) ** 2
    low, high = np.minimum(start, start + along), np.maximum(start, start + along)
    near = [_drawn_range(low[..., axis], high[..., axis], at, sigma) for axis in (0, 1)]
    both = (clip.detected[:, points] & clip.detected[:, parents])[..., None, None]
    maps = np.exp(-distance / np.float32(2 * sigma**2))
    maps = maps * (near[0][..., None, :] & near[1][..., :, None] & both)
    return maps.swapaxes(0, 1).astype(np.float32)


def to_pixels(clip: Keypoints, size: int) -> np.ndarray:
    """Pixel coordinates in the square around all detected points: float32 (frames, points, 2)."""
    there = clip.xy[clip.detected]
    if not len(there):
        return np.zeros_like(clip.xy)
    low, high = there.min(axis=0), there.max(axis=0)
    half = max(float((high - low).max()) / 2 * (1 + PADDING), MIN_SIZE)
    return ((clip.xy - (low + high) / 2 + half) * (size / (2 * half))).astype(np.float32)


def _gaussians(centres: np.ndarray, size: int, sigma: float) -> np.ndarray:
    """Gaussians on a line, cut off as in ``GeneratePoseTarget``: float32 (..., size)."""
    at = np.arange(size, dtype=np.float32)
    values = np.exp(-((at - centres[..., None]) ** 2) / np.float32(2 * sigma**2))
    return (values * _drawn_range(centres, centres, at, sigma)).astype(np.float32)


def _drawn_range(low: np.ndarray, high: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """The pixels that ``GeneratePoseTarget`` draws from low to high: bool (..., size)."""
    first, last = np.trunc(low - 3 * sigma), np.trunc(high + 3 * sigma)
    return (at >= first[..., None]) & (at <= last[..., None])
