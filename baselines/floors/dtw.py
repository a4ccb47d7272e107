"""The floor for movement: nearest neighbour by dynamic time warping of hand trajectories.

Decisions
* A trajectory is the dominant hand frame by frame: its shape, wrist-centred and scaled to unit size
  as in :mod:`baselines.floors.nearest_neighbour`, and where its wrist is, from its mean place in the clip,
  in shoulder widths. Frames without the hand are left out, and the rest is stretched or thinned to
  ``FRAMES``.
* The distance of two clips is the cheapest monotone walk through both from start to end, steps of
  one frame in either or both, a pair of frames costing the distance of what they show. Walks are
  divided by ``2 * FRAMES - 1``, the most pairs that one can have.
* A label's score is minus the distance to its nearest training clip.

Cost: ``FRAMES`` squared steps over a matrix of ``TOGETHER`` clips and all training clips: about a
second for 82 clips against 278 on one core. Some hundred such matrices are held at a time (3 GB,
and a minute for the 64 clips, where 40,000 train), and of each clip one number a label is kept.
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
TOGETHER = 64  # clips that are scored at a time: memory alone


def trajectory(clip: Features) -> np.ndarray:
    """The hand's course: float32 (FRAMES, 66); zeros for a clip without the hand."""
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)[clip.valid.all(axis=1)]
    if not len(hand):
        return np.zeros((FRAMES, 3 * HAND_POINTS + 3), dtype=np.float32)
    wrist = hand[:, :1]
    shape = hand - wrist
    size = np.linalg.norm(shape, axis=-1).max(axis=1)
    size[size == 0] = 1  # a hand that is one point has no shape
    shape = shape / size[:, None, None]
    whole = np.concatenate([shape, wrist - wrist.mean(axis=0)], axis=1).reshape(len(hand), -1)
    at = ((np.arange(FRAMES) + 0.5) * len(hand) / FRAMES).astype(int)
    return whole[at].astype(np.float32)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of each pair of trajectories, (n, frames, d) and (m, frames, d) -> float64 (n, m)."""
    rows, columns = first.shape[1], second.shape[1]
    before: list[np.ndarray] = []
    for i in range(rows):
        costs = _costs(first[:, i], second)
        here: list[np.ndarray] = []
        for j in range(columns):
            ways = [before[j]] if i else []
            if j:
                ways.append(here[j - 1])
            if i and j:
                ways.append(before[j - 1])
            so_far = np.minimum.reduce(ways) if ways else 0.0
            here.append(costs[..., j] + so_far)
        before = here
    return before[-1] / (rows + columns - 1)


def _costs(frames: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Distances of one frame of each (n, d) to all frames of others (m, t, d): (n, m, t)."""
    flat = clips.reshape(-1, clips.shape[-1]).astype(np.float64)
    frames = frames.astype(np.float64)
    squares = (frames**2).sum(axis=1)[:, None] + (flat**2).sum(axis=1) - 2 * frames @ flat.T
    return np.sqrt(np.maximum(squares, 0)).reshape(len(frames), *clips.shape[:2])


class DynamicTimeWarping:
    """A recogniser: ``fit`` remembers training clips, ``score`` ranks labels for test clips."""

    variant = VARIANT

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Remember the trajectories of labelled clips."""
        labels = np.array([label(text) for text in texts])
        self._order = np.argsort(labels, kind="stable")
        self._trajectories = np.stack([trajectory(clip) for clip in clips])
        self._labels, self._first = np.unique(labels[self._order], return_index=True)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Minus the distance to each label's nearest training clip: float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        nearest = []
        for start in range(0, len(clips), TOGETHER):
            courses = np.stack([trajectory(clip) for clip in clips[start : start + TOGETHER]])
            distance = distances(courses, self._trajectories)[:, self._order]
            nearest.append(np.minimum.reduceat(distance, self._first, axis=1))
        found = -np.concatenate(nearest).T
        return by_label(found, self._labels.tolist(), [label(name) for name in labels])
