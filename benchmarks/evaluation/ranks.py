"""Scores of one fold and the ranks computed from them.

Decision: embeddings are ranked without a score matrix (:mod:`benchmarks.metrics.streaming`); a
recogniser returns such a matrix. Nothing here imports torch, so readers of predictions start fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import Ranks, TiedRanks, streaming


class Recognised(NamedTuple):
    """Scores of a recogniser for one fold and gallery."""

    scores: np.ndarray  # float32 (texts, clips)

    def ranks(self, targets: np.ndarray) -> Ranks:
        """Ranks in both directions; ``targets`` int (clips,), each clip's row of the gallery."""
        return metrics.ranks(self.scores, targets)


class Embedded(NamedTuple):
    """Embeddings of clips and texts; their dot products are the scores."""

    clips: np.ndarray  # float32 (clips, d)
    gallery: np.ndarray  # float32 (texts, d)

    def ranks(self, targets: np.ndarray) -> Ranks:
        """As :meth:`Recognised.ranks`, without a score matrix."""
        return streaming.ranks(self.clips, self.gallery, targets)


class GalleryRanks(NamedTuple):
    """Ranks of a fold's test clips in one gallery."""

    ids: list[str]
    targets: np.ndarray  # int (clips,), each clip's row of the gallery
    names: Sequence[str]  # of the texts
    ranks: Ranks
    scored: Recognised | Embedded | None = None  # kept with the predictions, if given

    @property
    def predicted(self) -> list[str]:
        """The text that ranks first for each clip."""
        return [self.names[row] for row in self.ranks.predicted]

    def by_clip(self) -> tuple[list[TiedRanks], list[np.ndarray]]:
        """Ranks of each clip and the number of candidates of each rank."""
        clips = len(self.ranks.v2t)
        return self.ranks.v2t.split([1] * clips), [np.array([self.ranks.texts])] * clips


class CandidateRanks(NamedTuple):
    """Ranks of a fold's test clips where each clip has its own candidates, or several queries."""

    ids: list[str]
    ranks: Sequence[TiedRanks | np.ndarray]  # of each clip's queries; ints where nothing is tied
    candidates: list[np.ndarray]  # number of candidates of each query
    predicted: list[str]  # of each clip; empty: not a single prediction
    # number of right candidates of each query, of which the first one is ranked; None: one
    positives: list[np.ndarray] | None = None
    values: Mapping[str, np.ndarray] = {}  # more numbers, one per clip, for a task's extra scores

    def by_clip(self) -> tuple[list[TiedRanks], list[np.ndarray]]:
        """Ranks of each clip and the number of candidates of each rank."""
        ranks = [one if isinstance(one, TiedRanks) else TiedRanks.of(one) for one in self.ranks]
        return ranks, self.candidates


NO_QUERIES = CandidateRanks([], [], [], [])
TaskRanks = GalleryRanks | CandidateRanks
