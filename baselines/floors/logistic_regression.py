"""The floor with the least learning: logistic regression on pooled features of the hand.

Decisions
* A clip is the mean shape of its dominant hand over the middle frames
  (:func:`baselines.floors.nearest_neighbour.hand_shape`), the spread of the shape over all frames, and the
  spread of the wrist's place in shoulder widths; all standardised on the training clips.
* One strength of regularisation, ``C``, chosen on the validation clips of ``letters``, serves all
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
    """Float64 (129,): mean shape, spread of the shape, spread of the wrist."""
    hand = clip.values.reshape(len(clip.values), HAND_POINTS, 3)[clip.valid.all(axis=1)]
    if not len(hand):
        return np.zeros(6 * HAND_POINTS + 3)
    wrist = hand[:, 0]
    shape = hand - wrist[:, None]
    size = np.linalg.norm(shape, axis=-1).max(axis=1)
    size[size == 0] = 1  # a hand that is one point has no shape
    spread = (shape / size[:, None, None]).std(axis=0).reshape(-1)
    return np.concatenate([hand_shape(clip), spread, wrist.std(axis=0)]).astype(np.float64)


class LogisticRegression:
    """A recogniser: ``fit`` learns from training clips, ``score`` ranks labels for test clips."""

    variant = VARIANT

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Fit to labelled clips. Of a single label nothing is to be learnt."""
        labels = [label(text) for text in texts]
        self._labels = sorted(set(labels))
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
        found = np.zeros((len(clips), 1))
        if self._regression is not None:
            found = self._regression.predict_log_proba(values)
        # sklearn sorts its classes, too
        return by_label(found.T, self._labels, [label(name) for name in labels])
