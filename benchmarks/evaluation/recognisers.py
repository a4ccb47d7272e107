"""Recognisers as encoders: classes with ``fit(clips, texts)`` and ``score(clips, labels)``.

Decision: a recogniser of labels knows no languages. In a prompt gallery a second instance is fitted
to the clips' languages, and a (language, label) pair scores the sum of the two; a class whose
attribute ``language_recogniser`` names another class has one of that fitted instead (with
log-probabilities the sum is a product of two factors). With nearest neighbours alone that is a weak
floor: the pair of the nearest training clip always scores highest, so where each pair occurs once
it is never right at rank 1; and it knows only languages of training, so on unseen languages it is
below chance, since no training clip of the right language exists. (Excluding the pairs of training
would be the elimination that no encoder is allowed to use.)

Cost: fitting to each fold's training clips, twice where there is a prompt gallery.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.encoder_metadata import Input
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, OpenFold, Training
from benchmarks.evaluation.galleries import PAIR, Gallery
from benchmarks.evaluation.ranks import Recognised
from signclip.core.errors import ConfigError
from signclip.poses import Features


class Recogniser(Encoder):
    """A class that is fitted to each fold's training clips.

    Args:
        kind: class with ``fit(clips, texts)``, ``score(clips, labels) -> float32 (labels, clips)``
            and what it reads as an attribute, see :mod:`benchmarks.evaluation.dotted`.
    """

    template = PAIR
    fits = True
    seeded = False

    def __init__(self, kind: type, title: str, read: Input):
        super().__init__()
        self._kind, self._input = kind, read
        self.title, self.variant = title, read.variant or read.kind

    @property
    def input(self) -> Input:
        """As its metadata or its attribute ``variant`` says."""
        return self._input

    def open_fold(
        self, fold: int, training: Training, cache: Cache | None = None
    ) -> RecogniserFold:
        """Fit a new instance to the training clips' labels."""
        return RecogniserFold(self, training)

    def fitted(
        self, clips: Sequence[Features], texts: Sequence[str], *, languages: bool = False
    ) -> Any:
        """A new instance, fitted; its time counts as training.

        Args:
            languages: the texts are sign languages.
        """
        kind = getattr(self._kind, "language_recogniser", self._kind) if languages else self._kind
        recogniser = kind()
        start = time.perf_counter()
        recogniser.fit(clips, texts)
        self.training_seconds += time.perf_counter() - start
        return recogniser


class RecogniserFold(OpenFold):
    """A recogniser of labels, and one of languages if a prompt gallery is scored."""

    def __init__(self, recogniser: Recogniser, training: Training):
        self._recogniser, self._training, self._seconds = recogniser, training, 0.0
        self._of_label = recogniser.fitted(training.clips, training.texts)
        self._of_language: Any = None
        self.vocabulary = training.texts

    def score(
        self, clips: Sequence[Features], gallery: Gallery, ids: Sequence[str] | None = None
    ) -> Recognised:
        """Score clips against labels, or (language, label) pairs."""
        if gallery.tagged and self._of_language is None:
            languages = [sign for sign, _ in self._training.languages]
            self._of_language = self._recogniser.fitted(
                self._training.clips, languages, languages=True
            )
        start = time.perf_counter()
        scores = _score(self._of_label, clips, [entry.label for entry in gallery.entries])
        if gallery.tagged:
            languages = [entry.sign_language for entry in gallery.entries]
            scores = scores + _score(self._of_language, clips, languages)
        self._seconds += time.perf_counter() - start
        return Recognised(scores)

    def seconds(self, ids: Sequence[str]) -> float:
        """Time spent in :meth:`score`, without fitting."""
        return self._seconds


def _score(recogniser: Any, clips: Sequence[Features], names: Sequence[str]) -> np.ndarray:
    """Scores of names that may repeat, float32 (names, clips)."""
    unique, rows = np.unique(names, return_inverse=True)
    found = np.asarray(recogniser.score(clips, [str(name) for name in unique]))
    kind = type(recogniser).__name__
    if found.shape != (len(unique), len(clips)) or found.dtype.kind not in "fiu":
        raise ConfigError(
            f"{kind}: score returned {found.dtype} of shape {found.shape} for {len(unique)} labels "
            f"and {len(clips)} clips; numbers of shape ({len(unique)}, {len(clips)}) are expected"
        )
    if not np.isfinite(found).all():
        label, clip = np.argwhere(~np.isfinite(found))[0]
        raise ConfigError(
            f"{kind}: the score of label {unique[label]!r}, clip {clip}, is not finite"
        )
    return found.astype(np.float32, copy=False)[rows]
