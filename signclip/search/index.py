"""An index of signs: the embeddings of many clips, searched by text or by an example clip.

An index is a folder with

* ``embeddings.npy``: float32 (signs, d), the clips as the model embeds them; memory-mapped;
* ``signs.parquet``: one row per sign, in the same order, with :data:`COLUMNS`;
* ``dropped.csv``: id, path and reason of the clips that could not be embedded;
* ``meta.json``: fingerprints of the model and of the clips, sizes, sha256 of the files above,
  sealed.

Decisions
* Search is exact (:mod:`signclip.search.exact`): no approximate structure has to be built, tuned
  and trusted, and half a million signs take tens of milliseconds.
* A text's scores are those of :meth:`signclip.inference.SignCLIPModel.similarity`. Example clips
  are compared by cosine, as in the task sign-to-sign retrieval.
* An index belongs to one model, recognised by its weights (:func:`fingerprint`), because the
  embeddings of two models cannot be compared.

Cost: opening reads the table of signs, not the embeddings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from signclip.core import files, parquet
from signclip.core.errors import ConfigError, SignIndexError
from signclip.search import exact
from signclip.text import sign_language as find_language

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

FORMAT = 1
EMBEDDINGS, SIGNS, DROPPED, META = "embeddings.npy", "signs.parquet", "dropped.csv", "meta.json"
# frames: of the clip's file; sha256: of its content; norm: float64, the length of its embedding
COLUMNS = ("id", "text", "sign_language", "path", "frames", "fps", "sha256", "norm")


class Hit(NamedTuple):
    """A found sign.

    Attributes:
        row: in the index.
        score: as the model was trained (text), or the cosine (clip).
        text, sign_language: empty where the source of the clip does not say them.
        path: of the clip's file, as it was given when the index was built.
        frames, fps: of that file.
    """

    row: int
    score: float
    id: str
    text: str
    sign_language: str
    path: str
    frames: int
    fps: float


def fingerprint(model: SignCLIPModel) -> str:
    """Twelve hex digits of a model's weights, sizes and features, in whatever form it is stored.

    Cost: hashing the weights, half a second for two towers of BERT-base's size.
    """
    about = {"config": model.model.config.model_dump(), "variant": model.variant}
    digest = hashlib.sha256(files.canonical_json(about).encode())
    for name, tensor in sorted(model.model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    return digest.hexdigest()[:12]


def scale(model: SignCLIPModel) -> float:
    """The factor on scores: the inverse of a model's temperature, 1 without one."""
    value = model.model.scale()
    return value if isinstance(value, float) else value.item()


class Index:
    """An index opened for searching; see the module.

    Attributes:
        folder: that it was opened from.
        meta: content of ``meta.json``.
        embeddings: float32 (signs, d), read-only and memory-mapped.
    """

    def __init__(self, folder: Path, meta: dict[str, Any], embeddings: np.ndarray, signs: pa.Table):
        self.folder, self.meta, self.embeddings = folder, meta, embeddings
        self._signs = signs
        self._norms = signs["norm"].to_numpy()
        languages = signs["sign_language"].combine_chunks().dictionary_encode()
        self._languages: list[str] = languages.dictionary.to_pylist()
        self._language_of = languages.indices.to_numpy()

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """Open an index.

        Raises:
            SignIndexError: there is none, it is damaged, or its files do not fit together.
        """
        folder = Path(folder)
        meta = _read_meta(folder)
        try:
            files.check_regular(folder / EMBEDDINGS)
            mapped = np.load(folder / EMBEDDINGS, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SignIndexError(f"{folder / EMBEDDINGS}: cannot be opened ({error})") from None
        shape = (meta["signs"], meta["dims"])
        if not isinstance(mapped, np.ndarray) or mapped.shape != shape or mapped.dtype != "<f4":
            raise SignIndexError(f"{folder / EMBEDDINGS}: not float32 of shape {shape}")
        try:
            path = str(folder / SIGNS)
            files.check_regular(path)
            signs = parquet.read_table(path, list(COLUMNS))
        except (pa.ArrowException, OSError, KeyError) as error:
            raise SignIndexError(f"{folder / SIGNS}: cannot be read ({error})") from None
        if signs.num_rows != meta["signs"] or signs.column_names != list(COLUMNS):
            raise SignIndexError(f"{folder / SIGNS}: not the {meta['signs']} signs of {META}")
        return cls(folder, meta, np.asarray(mapped), signs)

    def __len__(self) -> int:
        """Number of signs."""
        return len(self.embeddings)

    @property
    def dims(self) -> int:
        """Numbers of an embedding."""
        return int(self.embeddings.shape[1])

    @property
    def languages(self) -> dict[str, int]:
        """Sign-language tag -> number of signs, the largest first; without signs that have none."""
        counts = Counter(dict(enumerate(np.bincount(self._language_of).tolist())))
        return {self._languages[i]: n for i, n in counts.most_common() if self._languages[i]}

    def texts(self) -> Iterator[tuple[str, str]]:
        """Text and sign language of each sign, in the order of rows."""
        languages = (self._languages[i] for i in self._language_of)
        yield from zip(self._signs["text"].to_pylist(), languages, strict=True)

    def hit(self, row: int) -> Hit:
        """One sign as a hit of score 0."""
        return self._hits(exact.Best(np.array([row]), np.zeros(1)))[0]

    def check_model(self, model: SignCLIPModel) -> None:
        """Refuse a model that did not make this index.

        Raises:
            SignIndexError: naming both.
        """
        made_by, given = self.meta["model"], fingerprint(model)
        if given != made_by["fingerprint"]:
            name = f"{made_by['path']} " if made_by["path"] else ""
            raise SignIndexError(
                f"{self.folder}: made with the model {name}({made_by['fingerprint']}), not with "
                f"this one ({given}); give that model, or build an index with this one"
            )

    def search(
        self,
        vectors: np.ndarray,
        k: int = 10,
        sign_language: str | None = None,
        *,
        cosine: bool = False,
    ) -> list[list[Hit]]:
        """The ``k`` best signs for each query, best first; equal scores are ordered by row.

        Args:
            vectors: float32 (queries, d), embeddings by the model of this index.
            k: at least 1; there are fewer hits if there are fewer signs.
            sign_language: tag; only signs with it are searched.
            cosine: score by cosine, for clips; otherwise as the model was trained.

        Raises:
            ConfigError: the queries have another shape or are not finite, ``k`` is below 1, or no
                sign has the tag.
            LanguageTagError: the tag is not in the registry.
            SignIndexError: the embeddings are damaged.
        """
        queries = np.asarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dims:
            raise ConfigError(f"queries of shape {queries.shape}; (n, {self.dims}) is expected")
        if not np.isfinite(queries).all():
            raise ConfigError("queries are not finite")
        if k < 1:
            raise ConfigError(f"k={k}, must be at least 1")
        allowed = None if sign_language is None else self._with_language(sign_language)
        try:
            found = exact.best(
                self.embeddings,
                self._norms,
                queries,
                k,
                allowed=allowed,
                cosine=cosine,
                scale=1.0 if cosine else self.meta["scale"],
            )
        except FloatingPointError:
            raise SignIndexError(
                f"{self.folder / EMBEDDINGS}: damaged, not finite; `signclip verify` checks it"
            ) from None
        return [self._hits(best) for best in found]

    def _with_language(self, tag: str) -> np.ndarray:
        """bool (signs,): which signs have a tag."""
        find_language(tag)
        if tag not in self._languages:
            some = ", ".join(f"{name} ({n:,})" for name, n in list(self.languages.items())[:10])
            known = f"it has {some}" if some else "its signs have no tags"
            raise ConfigError(f"{self.folder}: no sign of {tag!r}; {known}")
        return self._language_of == self._languages.index(tag)

    def _hits(self, best: exact.Best) -> list[Hit]:
        names = [name for name in Hit._fields if name in COLUMNS]
        rows = self._signs.select(names).take(pa.array(best.rows)).to_pylist()
        return [
            Hit(row=int(row), score=float(score), **values)
            for row, score, values in zip(best.rows, best.scores, rows, strict=True)
        ]


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / META
    try:
        meta = files.read_json(path)
    except OSError:
        raise SignIndexError(
            f"{folder}: no index here; build one with "
            f"`signclip index SOURCES --model MODEL --out {folder}`"
        ) from None
    except ValueError as error:  # not JSON, or not even UTF-8
        raise SignIndexError(f"{path}: damaged ({error})") from None
    if not isinstance(meta, dict) or not files.is_sealed(meta):
        raise SignIndexError(f"{path}: damaged (its content differs from its recorded sha256)")
    if meta.get("kind") != "signs" or meta.get("format") != FORMAT:
        raise SignIndexError(f"{path}: not an index of signs in format {FORMAT}")
    return meta
