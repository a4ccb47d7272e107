"""The floor without learning: one nearest neighbour on mean hand shapes.

Decision: a clip is the mean of its hand over the middle frames, wrist-centred and scaled frame by
frame to unit size, so that neither place nor distance to the camera counts; the score of a label is
minus the distance to its nearest training clip. It sees what the dominant-hand rows see. Cost: one
63-number vector a clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from baselines.label_scores import by_label
from signclip.poses import HAND_POINTS, Features
from signclip.text import label

VARIANT = "dominant_hand"
TOGETHER = 256  # clips that are scored at a time: memory alone
MIDDLE = (0.25, 0.75)  # the frames, between lead-in and lead-out, that are averaged


def hand_shape(clip: Features) -> np.ndarray:
    """Mean wrist-centred, size-normalised hand of the middle frames: float32 (63,).

    Frames without a detected hand do not count; where none of the middle ones has it, all frames
    count; a clip without any is the zero vector.
    """
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)
    seen = clip.valid.all(axis=1)
    middle = np.zeros(len(hand), dtype=bool)
    first, last = (int(share * len(hand)) for share in MIDDLE)
    middle[first : max(last, first + 1)] = True
    frames = hand[seen & middle] if (seen & middle).any() else hand[seen]
    if not len(frames):
        return np.zeros(HAND_POINTS * 3, dtype=np.float32)
    centred = frames - frames[:, :1]
    size = np.linalg.norm(centred, axis=-1).max(axis=1)
    size[size == 0] = 1  # a hand that is one point has no shape
    return (centred / size[:, None, None]).mean(axis=0).reshape(-1).astype(np.float32)


class NearestNeighbour:
    """A recogniser: ``fit`` remembers training clips, ``score`` ranks labels for test clips."""

    variant = VARIANT

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Remember the hand shapes of labelled clips."""
        labels = np.array([label(text) for text in texts])
        order = np.argsort(labels, kind="stable")
        self._shapes = np.stack([hand_shape(clips[i]) for i in order])
        self._labels, self._first = np.unique(labels[order], return_index=True)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Minus the distance to each label's nearest training clip: float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        nearest = []
        for start in range(0, len(clips), TOGETHER):
            shapes = np.stack([hand_shape(clip) for clip in clips[start : start + TOGETHER]])
            distance = cdist(self._shapes, shapes)  # (training clips, clips)
            nearest.append(np.minimum.reduceat(distance, self._first, axis=0))
        found = -np.concatenate(nearest, axis=1)
        return by_label(found, self._labels.tolist(), [label(name) for name in labels])
