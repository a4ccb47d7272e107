"""What an encoder is asked, a fold, and what it answers.

Decision: embeddings are ranked without a matrix of scores (:mod:`benchmarks.metrics.streaming`); a
recogniser's answer is such a matrix. Nothing here imports torch, so that who reads predictions need
not wait for it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import Ranks, streaming


class Fold(NamedTuple):
    """A fold's clips that the store has, by id."""

    number: int
    train: list[str]
    test: list[str]


class Recognised(NamedTuple):
    """A recogniser's answer for one fold and gallery."""

    scores: np.ndarray  # float32 (texts, clips)

    def ranks(self, own: np.ndarray) -> Ranks:
        """Where clips and texts find each other; ``own`` int (clips,), each clip's text."""
        return metrics.ranks(self.scores, own)


class Embedded(NamedTuple):
    """An encoder's answer: embeddings, whose dot products are the scores."""

    clips: np.ndarray  # float32 (clips, d)
    gallery: np.ndarray  # float32 (texts, d)

    def ranks(self, own: np.ndarray) -> Ranks:
        """As :meth:`Recognised.ranks`, streamed."""
        return streaming.ranks(self.clips, self.gallery, own)


class Answer(NamedTuple):
    """What one seed's encoder said of one fold, in one gallery."""

    seed: int
    fold: Fold
    own: np.ndarray  # int (clips,): each clip's row of the gallery
    scored: Recognised | Embedded
    ranks: Ranks
