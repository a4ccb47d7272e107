"""Models with embeddings on a fold: clips, prompts and galleries embedded.

Decision: a label without a language, for a model whose prompts have one, is the text without a
language that the model was trained with, too (``label_prompt``, ``split_prompt``); otherwise the
mean of the label's prompts over the languages of the fold's training clips. It is the same for
every clip.

Cost: each clip is embedded once, for all tasks; the label gallery of a model without such a text is
labels x training languages texts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.evaluation.embeddings import Cache, Content, Model
from benchmarks.evaluation.encoders import OpenFold, Training
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.ranks import Embedded
from signclip.experiments.config import RunConfig
from signclip.poses import Features
from signclip.text import prompt, split_prompt


class Prompts(NamedTuple):
    """Templates of a model's texts."""

    full: str  # with the languages, if it was trained with them
    label: str  # of a label without a language

    @classmethod
    def of(cls, config: RunConfig) -> Prompts:
        """The templates that a run was trained with."""
        without = split_prompt(config.prompt)[-1] if config.split_prompt else config.prompt
        return cls(config.prompt, config.label_prompt or without)


class EmbeddingFold(OpenFold):
    """A model with embeddings on a fold.

    Attributes:
        prompts: its templates.
        model: the model itself.

    Args:
        source: the model's folder, file or content, for cached embeddings; None: not cached.
        training: the fold's training clips, of which the languages are used.
        cache: None: embeddings are computed each time.
    """

    def __init__(
        self,
        model: Model,
        prompts: Prompts,
        training: Training,
        *,
        source: Path | Content | None = None,
        cache: Cache | None = None,
    ):
        self.model, self.prompts = model, prompts
        self._training, self._source, self._cache = training, source, cache
        self._embedded: dict[str, np.ndarray] = {}
        self._seconds: dict[str, float] = {}
        self._uncached_seconds = 0.0

    def prepare(self, ids: Iterable[str]) -> None:
        """Embed clips of the store that are not embedded yet."""
        if self._cache is None:
            raise ValueError("clips are embedded by id only with a cache, which has their features")
        missing = [clip for clip in dict.fromkeys(ids) if clip not in self._embedded]
        if missing:
            embedded = self._cache.embed(self._source, self.model, missing)
            self._embedded.update(zip(missing, embedded.values, strict=True))
            self._seconds.update(zip(missing, embedded.seconds.tolist(), strict=True))

    def embed(self, ids: Sequence[str]) -> np.ndarray:
        """Embeddings of clips of the store, float32 (n, d)."""
        self.prepare(ids)
        return np.stack([self._embedded[clip] for clip in ids])

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of texts, float32 (n, d)."""
        return self.model.embed_text(texts)

    def score(
        self, clips: Sequence[Features], gallery: Gallery, ids: Sequence[str] | None = None
    ) -> Embedded:
        """Embed clips and a gallery's texts."""
        if ids is not None and self._cache is not None:
            embedded = self.embed(ids)
        else:
            start = time.perf_counter()
            embedded = self.model.embed_pose([clip.values for clip in clips], ids=ids)
            self._uncached_seconds += time.perf_counter() - start
        return Embedded(embedded, self.embed_gallery(gallery))

    def embed_gallery(self, gallery: Gallery) -> np.ndarray:
        """Embed a gallery's texts, float32 (texts, d); see the module for label galleries."""
        if gallery.tagged:
            return self.embed_text(gallery.names)
        template = self.prompts.label
        # a language that the prompt does not name would count a text several times
        named = [f"{{{name}}}" in template for name in ("sign_language", "spoken_language")]
        languages = sorted(
            {
                tuple(tag if is_named else "" for tag, is_named in zip(pair, named, strict=True))
                for pair in (self._training.languages if any(named) else [("", "")])
            }
        )
        texts = [
            prompt(template, text=name, sign_language=sign, spoken_language=spoken)
            for sign, spoken in languages
            for name in gallery.names
        ]
        embedded = self.embed_text(texts)
        return embedded.reshape(len(languages), len(gallery.names), -1).mean(axis=0)

    def seconds(self, ids: Sequence[str]) -> float:
        """Time that embedding these clips took."""
        return self._uncached_seconds + sum(self._seconds.get(clip, 0.0) for clip in ids)
