"""Precomputed embeddings as an encoder: a file with one vector a clip, and one a text if wanted.

Formats
* ``.npz``: ``ids`` (n,), ``embeddings`` (n, d); with a text side also ``texts`` (m,) and
  ``text_embeddings`` (m, d), and ``prompt``, the template that the texts fill.
* ``.parquet``: columns ``id``, ``embedding``; with a text side also ``text``: a row has either an
  id or a text.

Decisions
* A clip or text without a vector is an error that names it: an encoder that leaves out clips
  would be compared on others.
* Arrays with Python objects are refused: reading them executes code.

Cost: the file is read once.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.encoder_metadata import EncoderMetadata, Input
from benchmarks.evaluation.dotted import DEFAULT_PROMPT
from benchmarks.evaluation.embedding import EmbeddingFold, Prompts
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, Training
from signclip.core import files, parquet
from signclip.core.errors import ConfigError, PoseError

SUFFIXES = (".npz", ".parquet")


class Vectors(NamedTuple):
    """The content of a file of embeddings."""

    clips: dict[str, np.ndarray]  # id -> float32 (d,)
    texts: dict[str, np.ndarray]  # text -> float32 (d,); empty: no text side
    prompt: str


def is_embeddings(path: str) -> bool:
    """Does the name stand for a file of embeddings?"""
    return Path(path).suffix.lower() in SUFFIXES


def read(path: Path) -> Vectors:
    """Read and check a file of embeddings.

    Raises:
        ConfigError: it cannot be read, lacks a field, or its vectors are not numbers of one width,
            finite, with unique ids, and not all equal.
    """
    try:
        values = _npz(path) if path.suffix.lower() == ".npz" else _parquet(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    except KeyError as error:
        raise ConfigError(f"{path}: has no field {error}; see `signbench run --help`") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a file of embeddings ({error})") from None
    clips = _by_name(path, "clip", values["ids"], values["embeddings"])
    texts = _by_name(path, "text", values["texts"], values["text_embeddings"])
    if not clips:
        raise ConfigError(f"{path}: holds no clips")
    if len({len(vector) for vector in (*clips.values(), *texts.values())}) > 1:
        raise ConfigError(f"{path}: clips and texts are not of one width")
    if len(clips) > 1 and len(np.unique(np.stack(list(clips.values())), axis=0)) == 1:
        raise ConfigError(f"{path}: all clips have the same embedding")
    return Vectors(clips, texts, str(values.get("prompt", DEFAULT_PROMPT)))


def write(path: Path, vectors: Vectors) -> None:
    """Write embeddings as ``.npz``, the same bytes for the same vectors, whole or not at all."""
    arrays = {
        "ids": np.array(sorted(vectors.clips), np.str_),
        "embeddings": _stacked(vectors.clips),
        "prompt": np.array(vectors.prompt),
    }
    if vectors.texts:
        arrays["texts"] = np.array(sorted(vectors.texts), np.str_)
        arrays["text_embeddings"] = _stacked(vectors.texts)
    files.write_npz(path, arrays)


class PrecomputedEncoder(Encoder):
    """The embeddings of a file, under the metadata of the encoder that made them."""

    embeds = True
    transferred = True
    seeded = False

    def __init__(self, path: Path, metadata: EncoderMetadata):
        super().__init__()
        vectors = read(path)
        self.vectors = vectors
        self.title = metadata.title or metadata.name
        self.template, self.variant = vectors.prompt, "signing"
        self.reads_text = bool(vectors.texts)
        self.parameters = metadata.parameters or 0
        self.fingerprint = files.sha256_file(path)[:12]

    @property
    def input(self) -> Input:
        """Nothing of a clip is read; a pose file is what every corpus has."""
        return Input(kind="pose")

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> EmbeddingFold:
        """The same embeddings for every fold."""
        prompts = Prompts(self.template, self.template)
        return _Looked(_LookUp(self.vectors), prompts, training)


class _LookUp:
    def __init__(self, vectors: Vectors):
        self._vectors = vectors

    def embed_pose(self, items: Sequence[Any], *, ids: Sequence[str] | None = None) -> np.ndarray:
        """The vectors of clips by id."""
        for clip in ids or ():
            if clip not in self._vectors.clips:
                raise PoseError(clip, "the file of embeddings has no vector of this clip; add it")
        return np.stack([self._vectors.clips[clip] for clip in ids or ()])

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """The vectors of texts."""
        for text in texts:
            if text not in self._vectors.texts:
                raise ConfigError(
                    f"the file of embeddings has no vector of the text {text!r}; add it"
                )
        return np.stack([self._vectors.texts[text] for text in texts])


class _Looked(EmbeddingFold):
    """Clips are looked up by id and never read."""

    def prepare(self, ids: Any) -> None:
        """Nothing: vectors are there already."""

    def embed(self, ids: Sequence[str]) -> np.ndarray:
        """The vectors of clips."""
        return self.model.embed_pose([], ids=ids)

    def score(self, clips: Any, gallery: Any, ids: Sequence[str] | None = None) -> Any:
        """Look up clips and a gallery's texts."""
        from benchmarks.evaluation.ranks import Embedded

        return Embedded(self.embed(ids or ()), self.embed_gallery(gallery))


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    if "texts" not in found:
        found |= {"texts": np.empty(0, np.str_), "text_embeddings": np.empty((0, 0), np.float32)}
    return {**found, "ids": found["ids"], "embeddings": found["embeddings"]}


def _parquet(path: Path) -> dict[str, Any]:
    try:
        table = parquet.read(path)
    except OSError:
        raise
    except Exception as error:  # Arrow's errors share no base
        raise ValueError(error) from None
    for name in ("id", "embedding"):
        if name not in table:
            raise KeyError(name)
    is_text = table["text"].notna() if "text" in table else table["id"].isna()
    found = {}
    for names, rows, column in (("", ~is_text, "id"), ("text_", is_text, "text")):
        part = table[rows]
        vectors = np.stack(part["embedding"].to_list()) if len(part) else np.empty((0, 0))
        found[f"{names}embeddings"] = vectors
        found["ids" if not names else "texts"] = part[column].to_numpy() if len(part) else []
    return found


def _by_name(path: Path, what: str, names: Any, vectors: Any) -> Mapping[str, np.ndarray]:
    names, vectors = list(map(str, names)), np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != len(names) or vectors.dtype.kind not in "fiu":
        raise ConfigError(
            f"{path}: {len(names)} {what}s and embeddings {vectors.dtype} of shape "
            f"{vectors.shape}; numbers of shape ({len(names)}, d) are expected"
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: {what} {Counter(names).most_common(1)[0][0]!r} occurs twice")
    odd = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(odd):
        raise ConfigError(f"{path}: the embedding of {what} {names[odd[0]]!r} is not finite")
    return dict(zip(names, vectors.astype(np.float32, copy=False), strict=True))


def _stacked(vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([vectors[name] for name in sorted(vectors)])
