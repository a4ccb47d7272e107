"""What the floors on the variant ``signing`` see of a clip: one vector, or one a frame.

Decisions
* The variant mirrors a clip in which the right hand is mostly unseen, so the right hand is the one
  that signs.
* *Hand-centric*: the right hand in the picture plane, with its wrist at the origin, divided by the
  distance from the wrist to the knuckle of the middle finger, frame by frame; the mean over the
  middle half of the frames with that hand. Depth is a guess of the detector: with it, 1-NN on the
  validation clips of ``letters`` falls from 0.52 to 0.45.
* *Inputs of X*: what X's pose tower reads (:class:`signclip.model.hands.HandFeatures`), the mean
  over the middle half of the frames.
* *Body*: mean and standard deviation over all frames of every point of the upper body that was
  detected: who signs, and how much they move. It serves the sign language alone.

Cost: 0.2 ms a clip; X's inputs 3 ms.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from signclip.poses import Features
from signclip.poses.landmarks import HAND_POINTS, SIGNING, SIGNING_LEFT, SIGNING_RIGHT

if TYPE_CHECKING:
    from signclip.model.hands import HandFeatures

VARIANT = "signing"
MIDDLE = (0.25, 0.75)  # share of the frames that is averaged, without lead-in and lead-out
WRIST, MIDDLE_KNUCKLE = 0, 9  # points of a hand


def hand_frames(clip: Features) -> np.ndarray:
    """The hand-centric right hand of the frames that have it: float64 (frames, 42)."""
    points = clip.values.reshape(len(clip.values), len(SIGNING), 3)[:, SIGNING_RIGHT]
    hand = points[clip.valid[:, SIGNING_RIGHT].all(axis=1)].astype(np.float64)
    hand = hand - hand[:, WRIST : WRIST + 1]
    size = np.linalg.norm(hand[:, MIDDLE_KNUCKLE], axis=1)
    size[size == 0] = 1  # the points coincide: there is no shape to scale
    return (hand / size[:, None, None])[..., :2].reshape(len(hand), 2 * HAND_POINTS)


def middle(frames: np.ndarray) -> np.ndarray:
    """The mean over the middle half of frames (frames, d); zeros where there are none."""
    if not len(frames):
        return np.zeros(frames.shape[1])
    first, last = (int(share * len(frames)) for share in MIDDLE)
    return frames[first : max(last, first + 1)].mean(axis=0)


def hand(clip: Features) -> np.ndarray:
    """A clip's hand-centric features: float64 (42,)."""
    return middle(hand_frames(clip))


def inputs(clip: Features) -> np.ndarray:
    """The inputs of X's pose tower: float64 (689,). Not to be changed: it is kept."""
    return _inputs_of(np.ascontiguousarray(clip.values, np.float32).tobytes())


@lru_cache(maxsize=5_000)  # each fold asks for a clip again; at most 250 MB of clips and vectors
def _inputs_of(values: bytes) -> np.ndarray:
    import torch

    from signclip.model.hands import frames_before

    frames = torch.tensor(np.frombuffer(values, np.float32).reshape(1, -1, 3 * len(SIGNING)))
    with torch.no_grad():
        found = _network()(frames, frames_before(frames))[0]
    return middle(found.numpy().astype(np.float64))


@cache
def _network() -> HandFeatures:
    from signclip.model.hands import HandFeatures

    return HandFeatures()


def body(clip: Features) -> np.ndarray:
    """Mean and standard deviation of the body's points: float64 (2 x 3 x points,)."""
    body_points = SIGNING_LEFT.start
    points = clip.values.reshape(len(clip.values), len(SIGNING), 3)[:, :body_points]
    seen = clip.valid[:, :body_points, None]
    counts = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, points, 0).sum(axis=0) / counts
    spread = np.sqrt((np.where(seen, points - mean, 0) ** 2).sum(axis=0) / counts)
    return np.concatenate([mean, spread]).reshape(-1).astype(np.float64)
