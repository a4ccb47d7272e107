"""The encoder protocol: everything that is evaluated is an :class:`Encoder`.

Decisions
* An encoder is opened fold by fold (:meth:`Encoder.open_fold`): trained runs are loaded,
  recognisers are fitted to the fold's training clips. The :class:`OpenFold` that it returns scores
  test clips.
* Of a test clip an encoder gets the features without the language or the other test clips, and an
  id for error messages and cached embeddings alone.
* :func:`benchmarks.evaluation.factory.open_encoder` decides which class serves a name.

Cost: the reported cost of an encoder is the time it takes to score the test clips (embed them once,
or score them in each gallery), without loading, fitting or waiting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.encoder_metadata import Input
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.ranks import Embedded, Recognised
from signclip.poses import Features


class Training(NamedTuple):
    """A fold's training clips."""

    clips: Sequence[Features]  # empty for an encoder that is not fitted here
    texts: Sequence[str]
    languages: Sequence[tuple[str, str]]  # sign language and spoken language of each clip


class OpenFold(ABC):
    """An encoder that was trained on or fitted to one fold.

    Attributes:
        vocabulary: the texts that it can score; None: any text.
    """

    vocabulary: Collection[str] | None = None

    @abstractmethod
    def score(
        self, clips: Sequence[Features], gallery: Gallery, ids: Sequence[str] | None = None
    ) -> Recognised | Embedded:
        """Score clips against a gallery.

        Args:
            ids: of the clips; embeddings of clips with ids are cached.
        """

    @abstractmethod
    def seconds(self, ids: Sequence[str]) -> float:
        """Time that scoring these test clips took, now or when their embeddings were cached."""


class Encoder(ABC):
    """An encoder with one seed.

    Attributes:
        title: as tables print it.
        variant: of the features that it reads (:data:`signclip.poses.VARIANTS`).
        input: what it is given for a clip; default: the features of ``variant``.
        fingerprint: of its code and metadata; empty: the runs' fingerprints identify it.
        template: of its prompts.
        fits: whether it is fitted to training clips when it is evaluated.
        embeds: whether its open folds are :class:`benchmarks.evaluation.embedding.EmbeddingFold`.
        reads_text: whether it can score texts (otherwise it only embeds clips).
        transferred: whether its training is independent of the split's training clips.
        seeded: whether other seeds give other encoders.
        parameters: number of weights; 0 for a recogniser.
        training_seconds: summed over the folds opened so far.
        runs: ``<seed>/<fold's run>`` -> fingerprint of the run; empty without runs.
    """

    title: str
    variant: str
    template: str
    fits = False
    embeds = False
    reads_text = True
    transferred = False
    seeded = True
    fingerprint = ""

    @property
    def input(self) -> Input:
        """What the encoder is given for a clip."""
        return Input(kind="variant", variant=self.variant)

    def __init__(self) -> None:
        self.parameters, self.training_seconds = 0, 0.0
        self.runs: dict[str, str] = {}

    @abstractmethod
    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> OpenFold:
        """Load or fit the encoder of one fold.

        Args:
            cache: of clip embeddings; None: embeddings are computed each time.

        Raises:
            SignCLIPError: the fold's run is missing, damaged or not the expected one.
        """

    def trained_on(self, corpus: Path, corpus_fingerprint: str) -> set[str]:
        """Ids of the clips of a built corpus that a transferred encoder was trained on."""
        return set()

    def pretraining_labels(self, data: Path) -> tuple[str, ...]:
        """One label for each clip of a transferred encoder's training corpus, if that is known."""
        return ()
