"""The floor with the least learning: logistic regression on pooled features of the hand.

Decisions
* A clip is three things: the mean shape of its dominant hand over the middle frames
  (:func:`baselines.floors.nearest_neighbour.hand_shape`), the standard deviation of that shape over
  all frames, and the standard deviation of the wrist's position in shoulder widths. All are
  standardised on the training clips.
* One regularisation strength ``C``, chosen on the validation clips of ``letters``, serves all
  splits.
* A label's score is its log-probability.

Cost: 129 numbers a clip; a fold of ``letters`` fits in about 0.1 s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression as Regression
from sklearn.preprocessing import StandardScaler

from baselines.floors.nearest_neighbour import VARIANT, hand_shape
from baselines.label_scores import by_label
from signclip.poses import Features
from signclip.poses.landmarks import HAND_POINTS
from signclip.text import label

C = 0.3  # inverse strength of the L2 penalty


def pooled(clip: Features) -> np.ndarray:
    """A clip's mean shape, spread of the shape and spread of the wrist: float64 (129,)."""
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)[clip.valid.all(axis=1)]
    if not len(hand):
        return np.zeros(6 * HAND_POINTS + 3)
    wrist = hand[:, 0]
    shape = hand - wrist[:, None]
    size = np.linalg.norm(shape, axis=-1).max(axis=1)
    size[size == 0] = 1  # all points coincide: there is no shape to scale
    spread = (shape / size[:, None, None]).std(axis=0).reshape(-1)
    return np.concatenate([hand_shape(clip), spread, wrist.std(axis=0)]).astype(np.float64)


class LogisticRegression:
    """A recogniser: ``fit`` learns from training clips, ``score`` gives log-probabilities."""

    variant = VARIANT

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Fit to labelled clips. With a single label there is nothing to learn."""
        labels = [label(text) for text in texts]
        self._labels = sorted(set(labels))  # the order of the regression's classes, too
        values = np.stack([pooled(clip) for clip in clips])
        self._scaler = StandardScaler().fit(values)
        self._regression = None
        if len(self._labels) > 1:
            self._regression = Regression(C=C, max_iter=1000)
            self._regression.fit(self._scaler.transform(values), labels)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Log-probabilities, float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        values = self._scaler.transform(np.stack([pooled(clip) for clip in clips]))
        scores = np.zeros((len(clips), 1))
        if self._regression is not None:
            scores = self._regression.predict_log_proba(values)
        return by_label(scores.T, self._labels, [label(name) for name in labels])
