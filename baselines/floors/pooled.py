"""The floors on pooled features: 1-NN, SVM and logistic regression, on hands or on the inputs of X.

Decisions
* A floor is a way to see a clip (:mod:`baselines.floors.features`) and a classifier of
  scikit-learn. Features are standardised on the training clips, except for 1-NN on hands, whose
  coordinates have one unit already.
* Settings were chosen on validation clips (docs/baselines.md) and serve all splits and corpora.
* Where the gallery has (sign language, label) pairs, a floor is two factors: its own probability of
  the label times that of the sign language by logistic regression on the body
  (:class:`BodyLanguage`). The decisions of an SVM become probabilities by a softmax.
* 1-NN scores a label by the cosine with its nearest training clip.

Cost: a fold of ``letters`` takes 0.3 s, and 2 s to compute X's inputs once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC

from baselines.floors import features
from baselines.label_scores import by_label
from signclip.poses import Features
from signclip.text import label

Classifier = SVC | LogisticRegression
ITERATIONS = 1000  # more than any of them needs


class BodyLanguage:
    """The sign language of a clip, by logistic regression on its body: the second factor."""

    variant = features.VARIANT
    of = staticmethod(features.body)

    def classifier(self) -> Classifier:
        """A new classifier."""
        return LogisticRegression(C=10, max_iter=ITERATIONS)

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Fit to labelled clips. With a single label there is nothing to learn."""
        labels = [label(text) for text in texts]
        self._labels = sorted(set(labels))  # the order of the classifier's classes, too
        values = np.stack([self.of(clip) for clip in clips])
        self._scaler = StandardScaler().fit(values)
        self._classifier = None
        if len(self._labels) > 1:
            self._classifier = self.classifier()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._classifier.fit(self._scaler.transform(values), labels)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Log-probabilities, float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        scores = np.zeros((len(clips), 1))
        if self._classifier is not None:
            values = self._scaler.transform(np.stack([self.of(clip) for clip in clips]))
            decided = self._classifier.decision_function(values)
            if decided.ndim == 1:  # of two classes the second one's
                decided = np.stack([-decided, decided], axis=1) / 2
            scores = log_softmax(decided, axis=1)
        return by_label(scores.T, self._labels, [label(name) for name in labels])


class HandSVM(BodyLanguage):
    """SVM with a Gaussian kernel on the hand."""

    of = staticmethod(features.hand)
    language_recogniser = BodyLanguage

    def classifier(self) -> Classifier:
        """A new classifier."""
        return SVC(C=10)


class HandRegression(HandSVM):
    """Logistic regression on the hand."""

    def classifier(self) -> Classifier:
        """A new classifier."""
        return LogisticRegression(C=1, max_iter=ITERATIONS)


class InputSVM(HandSVM):
    """SVM with a Gaussian kernel on the inputs of X."""

    of = staticmethod(features.inputs)

    def classifier(self) -> Classifier:
        """A new classifier."""
        return SVC(C=3)


class InputRegression(InputSVM):
    """Logistic regression on the inputs of X."""

    def classifier(self) -> Classifier:
        """A new classifier."""
        return LogisticRegression(C=0.01, max_iter=ITERATIONS)


class HandNeighbour:
    """1-nearest-neighbour on the hand, by cosine."""

    variant = features.VARIANT
    of: Callable[[Features], np.ndarray] = staticmethod(features.hand)
    standardised = False
    language_recogniser = BodyLanguage

    def fit(self, clips: Sequence[Features], texts: Sequence[str]) -> None:
        """Store the features of labelled clips."""
        labels = np.array([label(text) for text in texts])
        order = np.argsort(labels, kind="stable")
        values = np.stack([self.of(clips[i]) for i in order])
        scaler = StandardScaler(with_mean=self.standardised, with_std=self.standardised)
        self._scaler = scaler.fit(values)
        self._known = normalize(self._scaler.transform(values))
        self._labels, self._first = np.unique(labels[order], return_index=True)

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """The cosine with each label's nearest training clip: float32 (labels, clips).

        A label without a training clip scores below all others.
        """
        values = np.stack([self.of(clip) for clip in clips])
        tested = normalize(self._scaler.transform(values))
        nearest = np.maximum.reduceat(self._known @ tested.T, self._first, axis=0)
        return by_label(nearest, self._labels.tolist(), [label(name) for name in labels])


class InputNeighbour(HandNeighbour):
    """1-nearest-neighbour on the standardised inputs of X, by cosine."""

    of = staticmethod(features.inputs)
    standardised = True
