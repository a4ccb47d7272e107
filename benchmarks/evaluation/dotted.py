"""Encoders of other packages, found by dotted path: ``my_package.my_module:MyEncoder``.

Decisions
* A class with ``fit(clips, texts)`` and ``score(clips, labels)`` is a recogniser
  (:mod:`benchmarks.evaluation.recognisers`). A class with ``embed_pose(poses)`` is a model; without
  ``embed_text(texts)`` it is evaluated by the tasks that need no text.
* Class attributes: ``metadata`` (:class:`benchmarks.encoder_metadata.EncoderMetadata`, its fields
  as a mapping, or the name of a YAML file beside the module), whose ``input`` says what ``poses``
  are; or only ``variant``, the feature variant that it reads (float32 (frames, dims)). ``title``,
  for tables; ``prompt``, the template of its texts, default :data:`DEFAULT_PROMPT`; ``files``,
  paths of weights that its results depend on.
* Embeddings are checked (shape, numbers, finite). They are cached for a class with metadata alone
  (:mod:`benchmarks.submission`), under a hash of its code, metadata and files; the content of
  another class has no hash.
* An exception of somebody's code becomes an error that names the method and the line.

Cost: clips of a class without metadata are embedded anew in each evaluation.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import encoder_metadata
from benchmarks.encoder_metadata import EncoderMetadata, Input
from benchmarks.evaluation.embedding import EmbeddingFold, Prompts
from benchmarks.evaluation.embeddings import Cache, Content
from benchmarks.evaluation.encoders import Encoder, Training
from benchmarks.evaluation.recognisers import Recogniser
from signclip.core import code, files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, PoseError, SignCLIPError
from signclip.poses import VARIANTS

DEFAULT_PROMPT = "{label}"


@contextmanager
def somebodys_code(what: str) -> Iterator[None]:
    """Turn an exception of a user's code into an error that names its place.

    Raises:
        ConfigError: the block raised anything but an error of this repository.
    """
    try:
        yield
    except SignCLIPError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ConfigError(f"{what} raised {reason} ({place})") from error


def load_class(path: str) -> type:
    """The class at a dotted path.

    Raises:
        ConfigError: there is no such module or class, or the module cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be imported ({error}); give package.module:Class") from (
            error
        )
    except Exception as error:  # the module's own code
        with somebodys_code(f"{path}: importing its module"):
            raise error


def metadata_of(kind: type, path: str) -> EncoderMetadata | None:
    """The metadata of a class; None: it has none.

    Raises:
        ConfigError: it is not valid, or its file cannot be read.
    """
    given = getattr(kind, "metadata", None)
    if given is None:
        return None
    if isinstance(given, str | Path):
        source = Path(inspect.getfile(kind)).parent / given
        return encoder_metadata.parse(read_yaml(source), str(source))
    return encoder_metadata.parse(given, path)


def open_class(
    path: str, title: str | None = None, metadata: EncoderMetadata | None = None
) -> Encoder:
    """The encoder of a class.

    Args:
        title: for tables; default that of the metadata, the attribute of that name, or the class's
            name.
        metadata: in place of the class's own.

    Raises:
        ConfigError: the class cannot be imported, lacks a method, or does not say what it reads;
            its metadata is not valid; making an instance failed.
    """
    kind: Any = load_class(path)
    metadata = metadata or metadata_of(kind, path)
    read = _input(kind, path, metadata)
    given = getattr(kind, "title", kind.__name__)
    title = title or (metadata.title or metadata.name if metadata else given)
    if all(callable(getattr(kind, name, None)) for name in ("fit", "score")):
        encoder: Encoder = Recogniser(kind, title, read)
    elif callable(getattr(kind, "embed_pose", None)):
        encoder = EncoderClass(kind, path, title, read)
    else:
        raise ConfigError(
            f"{path}: has neither embed_pose(poses) nor fit(clips, texts) and score(...)"
        )
    if metadata is not None:
        encoder.fingerprint = _fingerprint(kind, metadata)
        encoder.parameters = metadata.parameters or 0
    return encoder


def _input(kind: Any, path: str, metadata: EncoderMetadata | None) -> Input:
    if metadata is not None:
        return metadata.input
    if getattr(kind, "variant", None) not in VARIANTS:
        raise ConfigError(
            f"{path}: needs a class attribute `variant`, the features that it reads: "
            f"{', '.join(VARIANTS)}; or `metadata` (`signbench new my_encoder` writes an example)"
        )
    return Input(kind="variant", variant=kind.variant)


def _fingerprint(kind: type, metadata: EncoderMetadata) -> str:
    """Of what decides a class's results, as far as it is known: code, metadata and files.

    Raises:
        ConfigError: a file of the attribute ``files`` is missing.
    """
    module = Path(inspect.getfile(kind))
    named = [module, *(module.parent / name for name in getattr(kind, "files", ()))]
    for path in named:
        if not path.is_file():
            raise ConfigError(f"{path}: named by the attribute `files` of {kind.__name__}, missing")
    about = metadata.model_dump(mode="json", exclude={"title", "notes", "link", "authors"})
    return files.fingerprint([about, *map(code.sha256_code, named)])


class EncoderClass(Encoder):
    """A class with ``embed_pose``, and ``embed_text`` if it has a text side.

    Attributes:
        content: where its embeddings are cached; None: nowhere.
        model: its instance, checked.
    """

    embeds = True
    transferred = True
    seeded = False

    def __init__(self, kind: Any, path: str, title: str, read: Input):
        super().__init__()
        self.title, self.variant, self._input = title, read.variant or read.kind, read
        self.template = getattr(kind, "prompt", DEFAULT_PROMPT)
        self.reads_text = callable(getattr(kind, "embed_text", None))
        self.content: Content | None = None
        with somebodys_code(f"{path}: making an instance"):
            instance = kind()
        self.model = CheckedModel(instance, path)

    @property
    def input(self) -> Input:
        """As its metadata or its attribute ``variant`` says."""
        return self._input

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> EmbeddingFold:
        """The same instance for every fold."""
        prompts = Prompts(self.template, self.template)
        return EmbeddingFold(self.model, prompts, training, source=self.content, cache=cache)


class CheckedModel:
    """An instance whose embeddings are checked; each text is embedded once.

    Attributes:
        texts: text -> embedding, of all texts embedded so far.

    Raises:
        PoseError: an embedding is not finite; its clip is named.
        ConfigError: the embeddings have a wrong type or shape; a method raised an exception.
    """

    def __init__(self, encoder: Any, path: str):
        self.instance, self._path = encoder, path
        self.texts: dict[str, np.ndarray] = {}

    def embed_pose(self, items: Sequence[Any], *, ids: Sequence[str] | None = None) -> np.ndarray:
        """Embeddings of clips, float32 (clips, d)."""
        clips = f" for the clips {ids[0]} to {ids[-1]}" if ids else ""
        with somebodys_code(f"{self._path}: embed_pose{clips}"):
            given = self.instance.embed_pose(list(items))
        embedded = self._array(given, "embed_pose", len(items))
        odd = np.flatnonzero(~np.isfinite(embedded).all(axis=1))
        if len(odd):
            name = f"clip {odd[0]}" if ids is None else ids[odd[0]]
            raise PoseError(name, f"its embedding by {self._path} is not finite")
        return embedded

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of texts, float32 (texts, d)."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.texts]
        if missing:
            with somebodys_code(f"{self._path}: embed_text"):
                given = self.instance.embed_text(missing)
            embedded = self._array(given, "embed_text", len(missing))
            odd = np.flatnonzero(~np.isfinite(embedded).all(axis=1))
            if len(odd):
                text = missing[odd[0]]
                raise ConfigError(f"{self._path}: the embedding of {text!r} is not finite")
            self.texts |= dict(zip(missing, embedded, strict=True))
        return np.stack([self.texts[text] for text in texts])

    def _array(self, given: Any, method: str, count: int) -> np.ndarray:
        with somebodys_code(f"{self._path}: what {method} returned is no array: reading it"):
            array = np.asarray(given)
        if array.ndim != 2 or len(array) != count or array.dtype.kind not in "fiu":
            raise ConfigError(
                f"{self._path}: {method} returned {array.dtype} of shape {array.shape} for {count} "
                f"items; numbers of shape ({count}, d) are expected"
            )
        return array.astype(np.float32, copy=False)
