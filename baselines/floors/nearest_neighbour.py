"""The floor without learning: one nearest neighbour on mean hand shapes.

Decision: a clip is the mean of its dominant hand over the middle frames, wrist-centred and scaled
to unit size frame by frame, so that position and distance to the camera do not count. The score of
a label is minus the distance to its nearest training clip. The input is that of the experiments on
the dominant hand.

Cost: one vector of 63 numbers a clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from baselines.label_scores import by_label
from signclip.poses import Features
from signclip.poses.landmarks import HAND_POINTS
from signclip.text import label

VARIANT = "dominant_hand"
CHUNK = 256  # clips scored at a time; bounds memory, changes no score
MIDDLE = (0.25, 0.75)  # share of the clip that is averaged, without lead-in and lead-out


def hand_shape(clip: Features) -> np.ndarray:
    """The mean wrist-centred, size-normalised hand of the middle frames: float32 (63,).

    Only frames with a detected hand count. If no middle frame has one, all frames are used; a clip
    without any hand is the zero vector.
    """
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)
    detected = clip.valid.all(axis=1)
    middle = np.zeros(len(hand), dtype=bool)
    first, last = (int(share * len(hand)) for share in MIDDLE)
    middle[first : max(last, first + 1)] = True
    frames = hand[detected & middle] if (detected & middle).any() else hand[detected]
    if not len(frames):
        return np.zeros(HAND_POINTS * 3, dtype=np.float32)
    centred = frames - frames[:, :1]
    size = np.linalg.norm(centred, axis=-1).max(axis=1)
    size[size == 0] = 1  # all points coincide: there is no shape to scale
    return (centred / size[:, None, None]).mean(axis=0).reshape(-1).astype(np.float32)


class NearestNeighbour:
    """A recogniser: ``fit`` stores the training clips, ``score`` compares test clips with them."""

    variant = VARIANT

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Store the hand shapes of labelled clips."""
        labels = np.array([label(text) for text in texts])
        order = np.argsort(labels, kind="stable")
        self._shapes = np.stack([hand_shape(clips[i]) for i in order])
        self._labels, self._first = np.unique(labels[order], return_index=True)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Minus the distance to each label's nearest training clip: float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        nearest = []
        for start in range(0, len(clips), CHUNK):
            shapes = np.stack([hand_shape(clip) for clip in clips[start : start + CHUNK]])
            distance = cdist(self._shapes, shapes)  # (training clips, clips)
            nearest.append(np.minimum.reduceat(distance, self._first, axis=0))
        scores = -np.concatenate(nearest, axis=1)
        return by_label(scores, self._labels.tolist(), [label(name) for name in labels])
