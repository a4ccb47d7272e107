"""Encoders of other packages, found by dotted path: ``my_package.my_module:MyEncoder``.

Decisions
* A class with ``fit(clips, texts)`` and ``score(clips, labels)`` is a recogniser
  (:mod:`benchmarks.evaluation.recognisers`). A class with ``embed_pose(poses)`` is a model; without
  ``embed_text(texts)`` it is evaluated by the tasks that need no text.
* Class attributes: ``variant`` (required), the feature variant that it reads; ``title``, for
  tables; ``prompt``, the template of its texts, default :data:`DEFAULT_PROMPT`. ``poses`` are
  float32 arrays (frames, dims) of that variant.
* Its embeddings are checked (shape, numbers, finite) and not cached, since the content of a class
  has no hash.

Cost: clips are embedded anew in each evaluation.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.evaluation.embedding import EmbeddingFold, Prompts
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, Training
from benchmarks.evaluation.recognisers import Recogniser
from signclip.core.errors import ConfigError, PoseError
from signclip.poses import VARIANTS

DEFAULT_PROMPT = "{label}"


def load_class(path: str) -> type:
    """The class at a dotted path.

    Raises:
        ConfigError: there is no such module or class.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be imported ({error}); give package.module:Class") from (
            error
        )


def open_class(path: str, title: str | None = None) -> Encoder:
    """The encoder of a class.

    Args:
        title: for tables; default the attribute of that name, or the class's name.

    Raises:
        ConfigError: the class cannot be imported, or lacks a method or the attribute ``variant``.
    """
    kind: Any = load_class(path)
    if getattr(kind, "variant", None) not in VARIANTS:
        raise ConfigError(
            f"{path}: needs a class attribute `variant`, the features that it reads: "
            f"{', '.join(VARIANTS)}"
        )
    title = title or getattr(kind, "title", kind.__name__)
    if all(callable(getattr(kind, name, None)) for name in ("fit", "score")):
        return Recogniser(kind, title)
    if callable(getattr(kind, "embed_pose", None)):
        return EncoderClass(kind, path, title)
    raise ConfigError(f"{path}: has neither embed_pose(poses) nor fit(clips, texts) and score(...)")


class EncoderClass(Encoder):
    """A class with ``embed_pose``, and ``embed_text`` if it has a text side."""

    embeds = True
    transferred = True
    seeded = False

    def __init__(self, kind: type, path: str, title: str):
        super().__init__()
        self.title, self.variant = title, kind.variant  # type: ignore[attr-defined]
        self.template = getattr(kind, "prompt", DEFAULT_PROMPT)
        self.reads_text = callable(getattr(kind, "embed_text", None))
        self._model = _Checked(kind(), path)

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> EmbeddingFold:
        """The same instance for every fold."""
        prompts = Prompts(self.template, self.template)
        return EmbeddingFold(self._model, prompts, training, cache=cache)


class _Checked:
    """An instance whose embeddings are checked.

    Raises:
        PoseError: an embedding is not finite; its clip is named.
        ConfigError: the embeddings have a wrong type or shape.
    """

    def __init__(self, encoder: Any, path: str):
        self._encoder, self._path = encoder, path

    def embed_pose(
        self, items: Sequence[np.ndarray], *, ids: Sequence[str] | None = None
    ) -> np.ndarray:
        """Embeddings of features, float32 (clips, d)."""
        embedded = self._array(self._encoder.embed_pose(list(items)), "embed_pose", len(items))
        odd = np.flatnonzero(~np.isfinite(embedded).all(axis=1))
        if len(odd):
            name = f"clip {odd[0]}" if ids is None else ids[odd[0]]
            raise PoseError(name, f"its embedding by {self._path} is not finite")
        return embedded

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of texts, float32 (texts, d)."""
        embedded = self._array(self._encoder.embed_text(list(texts)), "embed_text", len(texts))
        odd = np.flatnonzero(~np.isfinite(embedded).all(axis=1))
        if len(odd):
            raise ConfigError(f"{self._path}: the embedding of {texts[odd[0]]!r} is not finite")
        return embedded

    def _array(self, given: Any, method: str, count: int) -> np.ndarray:
        array = np.asarray(given)
        if array.ndim != 2 or len(array) != count or array.dtype.kind not in "fiu":
            raise ConfigError(
                f"{self._path}: {method} returned {array.dtype} of shape {array.shape} for {count} "
                f"items; numbers of shape ({count}, d) are expected"
            )
        return array.astype(np.float32, copy=False)
