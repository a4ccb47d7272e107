"""The floor for movement: one nearest neighbour by dynamic time warping of hand trajectories.

Decisions
* A trajectory describes the dominant hand frame by frame: its shape, wrist-centred and scaled to
  unit size as in :mod:`baselines.floors.nearest_neighbour`, and its wrist's position relative to
  the clip's mean, in shoulder widths. Frames without the hand are dropped; the rest is resampled to
  ``FRAMES`` frames.
* The distance of two clips is the cost of the cheapest warping path through both from start to end.
  Steps advance one frame in either clip or in both, and a pair of frames costs the Euclidean
  distance of their vectors. Costs are divided by ``2 * FRAMES - 1``, the longest possible path.
* A label's score is minus the distance to its nearest training clip.

Cost: ``FRAMES`` squared steps over a matrix of ``CHUNK`` clips by all training clips, about a
second for 82 clips against 278 on one core. About a hundred such matrices are in memory (3 GB, and
a minute for 64 clips, with 40,000 training clips); one number per clip and label is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baselines.floors.nearest_neighbour import VARIANT
from baselines.label_scores import by_label
from signclip.poses import Features
from signclip.poses.landmarks import HAND_POINTS
from signclip.text import label

FRAMES = 24
CHUNK = 64  # clips scored at a time; bounds memory


def trajectory(clip: Features) -> np.ndarray:
    """The hand's trajectory: float32 (FRAMES, 66); zeros for a clip without the hand."""
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)[clip.valid.all(axis=1)]
    if not len(hand):
        return np.zeros((FRAMES, 3 * HAND_POINTS + 3), dtype=np.float32)
    wrist = hand[:, :1]
    shape = hand - wrist
    size = np.linalg.norm(shape, axis=-1).max(axis=1)
    size[size == 0] = 1  # all points coincide: there is no shape to scale
    shape = shape / size[:, None, None]
    vectors = np.concatenate([shape, wrist - wrist.mean(axis=0)], axis=1).reshape(len(hand), -1)
    return resampled(vectors)


def resampled(vectors: np.ndarray) -> np.ndarray:
    """Vectors (frames, d) as float32 (FRAMES, d), each the nearest frame's."""
    at = ((np.arange(FRAMES) + 0.5) * len(vectors) / FRAMES).astype(int)
    return vectors[at].astype(np.float32)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Warping distances of all pairs: (n, frames, d) and (m, frames, d) -> float64 (n, m)."""
    rows, columns = first.shape[1], second.shape[1]
    previous: list[np.ndarray] = []  # the row of the cost table before this one
    for i in range(rows):
        costs = _frame_costs(first[:, i], second)
        current: list[np.ndarray] = []
        for j in range(columns):
            predecessors = [previous[j]] if i else []
            if j:
                predecessors.append(current[j - 1])
            if i and j:
                predecessors.append(previous[j - 1])
            cheapest = np.minimum.reduce(predecessors) if predecessors else 0.0
            current.append(costs[..., j] + cheapest)
        previous = current
    return previous[-1] / (rows + columns - 1)


def _frame_costs(frames: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Distances of frames (n, d) to all frames of clips (m, t, d): float64 (n, m, t)."""
    flat = clips.reshape(-1, clips.shape[-1]).astype(np.float64)
    frames = frames.astype(np.float64)
    squares = (frames**2).sum(axis=1)[:, None] + (flat**2).sum(axis=1) - 2 * frames @ flat.T
    return np.sqrt(np.maximum(squares, 0)).reshape(len(frames), *clips.shape[:2])


class DynamicTimeWarping:
    """A recogniser: ``fit`` stores the training clips, ``score`` compares test clips with them."""

    variant = VARIANT
    of = staticmethod(trajectory)

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Store the trajectories of labelled clips."""
        labels = np.array([label(text) for text in texts])
        self._order = np.argsort(labels, kind="stable")
        self._trajectories = np.stack([self.of(clip) for clip in clips])
        self._labels, self._first = np.unique(labels[self._order], return_index=True)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Minus the distance to each label's nearest training clip: float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        nearest = []
        for start in range(0, len(clips), CHUNK):
            trajectories = np.stack([self.of(clip) for clip in clips[start : start + CHUNK]])
            distance = distances(trajectories, self._trajectories)[:, self._order]
            nearest.append(np.minimum.reduceat(distance, self._first, axis=1))
        scores = -np.concatenate(nearest).T
        return by_label(scores, self._labels.tolist(), [label(name) for name in labels])
