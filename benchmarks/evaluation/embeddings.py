"""Embeddings of a corpus's clips, computed once per model and read again.

Decisions
* One file per model and feature store, with the key of what made it: the model's weights and
  configuration, the store's content, and the code and packages that turn one into the other. If the
  key differs, the clips are embedded again, so a file is never stale.
* Batch composition changes embeddings only by rounding, so a file holds all clips requested so far,
  by any task, and the time that each took: costs are reported alike whether a clip was embedded now
  or earlier.
* Files are read without a lock and replaced atomically; the process that embeds holds the file's
  lock. It writes at intervals, so a killed process on a large corpus keeps most of its work.
* Models whose content has no hash are not cached; an encoder class has one (:class:`Content`) where
  its code and metadata are hashed, for a run that can be interrupted.

Path: ``embeddings/<corpus>/<experiment>/<seed>/<run>.<variant>.npz``. Cost: 4 bytes a number; while
clips are embedded, the features of :data:`PART` clips (1 GB at 609 numbers a frame and 100 frames).
"""

from __future__ import annotations

import os.path
import time
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.evaluation.inputs import Clips
from signclip.core import code, files
from signclip.core.progress import bar
from signclip.experiments import run_folder

CODE = (
    *("signclip.text", "signclip.poses", "signclip.features"),
    *("signclip.model", "signclip.checkpoint", "signclip.inference"),
)
_PACKAGES = ("torch", "transformers")
# Clips read and embedded at a time; only memory depends on it, since embed_pose works in chunks of
# 256 clips.
PART = 4096
PARTS_A_WRITE = 12  # 49,152 clips
SECONDS_A_WRITE = 20  # of a slow model


class Model(Protocol):
    """A model that embeds clips."""

    def embed_pose(
        self, items: Sequence[np.ndarray], *, ids: Sequence[str] | None = None
    ) -> np.ndarray:
        """Embed features (frames, dims): float32 (clips, d)."""
        ...

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts: float32 (texts, d)."""
        ...


class Content(NamedTuple):
    """A model without a folder: where its embeddings are cached, and what decides them."""

    place: tuple[str, ...]  # folders and name, below the corpus's embeddings
    digest: str  # of all that decides an embedding
    part: int = 64  # clips embedded at a time
    title: str = ""  # of the progress bar


class ClipEmbeddings(NamedTuple):
    """Clips in a model's embedding space."""

    values: np.ndarray  # float32 (n, d)
    seconds: np.ndarray  # (n,), time that embedding each took


class _Known(NamedTuple):
    """The content of a file, by clip id."""

    embeddings: dict[str, np.ndarray]
    seconds: dict[str, float]


class Cache:
    """Embeddings of the clips of a feature store.

    Args:
        folder: of the corpus's embeddings.
    """

    def __init__(self, folder: Path, store: Clips):
        self._folder, self._store = folder, store

    def embed(
        self, source: Path | Content | None, model: Model, ids: Sequence[str]
    ) -> ClipEmbeddings:
        """Embed clips, or read their embeddings.

        Args:
            source: the model's folder, ``.../<experiment>/<seed>/<run>``, or its file; None: the
                embeddings are computed and not cached.
            model: the same model, loaded.

        Raises:
            BusyError: another process is embedding them.
        """
        wanted = dict.fromkeys(ids)
        if source is None:
            known = _Known({}, {})
            for start in range(0, len(wanted), PART):
                self._embed(model, list(wanted)[start : start + PART], known)
        else:
            known = self._cached(source, model, list(wanted))
        return ClipEmbeddings(
            np.stack([known.embeddings[clip] for clip in ids]),
            np.array([known.seconds[clip] for clip in ids]),
        )

    def _cached(self, source: Path | Content, model: Model, wanted: list[str]) -> _Known:
        path = self._path(source)
        key = _key(source, self._store, "" if isinstance(source, Content) else _device(model))
        known = _read(path, key)
        if known.embeddings.keys() >= set(wanted):
            return known
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.writing(path):
            known = _read(path, key)  # the process before may have written it just now
            missing = [clip for clip in wanted if clip not in known.embeddings]
            part = source.part if isinstance(source, Content) else PART
            title = source.title if isinstance(source, Content) else ""
            written = time.monotonic()
            with bar(total=len(missing), desc=title, unit="clip", disable=not title) as shown:
                for number, start in enumerate(range(0, len(missing), part), start=1):
                    self._embed(model, missing[start : start + part], known)
                    shown.update(min(part, len(missing) - start))
                    often = number % PARTS_A_WRITE == 0 and part == PART
                    slow = time.monotonic() - written > SECONDS_A_WRITE
                    if often or slow or start + part >= len(missing):
                        _write(path, key, known)
                        written = time.monotonic()
        return known

    def _path(self, source: Path | Content) -> Path:
        if isinstance(source, Content):
            return self._folder.joinpath(*source.place[:-1], f"{source.place[-1]}.npz")
        absolute = Path(os.path.abspath(source))  # without "..", so it stays below the folder
        parts = absolute.relative_to(absolute.anchor).parts[-3:]
        name = f"{parts[-1]}.{self._store.meta['variant']}.npz"
        return self._folder.joinpath(*parts[:-1], name)

    def _embed(self, model: Model, part: list[str], known: _Known) -> None:
        start = time.perf_counter()
        values = [self._store.values(clip) for clip in part]
        embedded = model.embed_pose(values, ids=part)
        each = (time.perf_counter() - start) / len(part)
        known.embeddings.update(zip(part, embedded, strict=True))
        known.seconds.update(dict.fromkeys(part, each))


def _device(model: Any) -> str:
    return model.device.type


def _key(source: Path | Content, store: Clips, device: str) -> str:
    """Changes when anything does that decides an embedding (its last bits included) or its cost."""
    return files.fingerprint(
        {
            "model": _content(source),
            "features": store.meta["sha256"],
            "device": device,
            "code": code.fingerprint_code(CODE),
            "versions": {name: version(name) for name in _PACKAGES},
        }
    )


def _content(source: Path | Content) -> dict[str, str]:
    if isinstance(source, Content):
        return {"content": source.digest}
    if source.is_file():
        return {"file": _sha256_file(source, source.stat().st_mtime_ns)}
    digests = run_folder.read_metrics(source)["sha256"]
    return {name: digests[name] for name in (run_folder.WEIGHTS, run_folder.CONFIG)}


@cache
def _sha256_file(path: Path, changed: int) -> str:
    return files.sha256_file(path)


def _write(path: Path, key: str, known: _Known) -> None:
    arrays = {
        "key": np.array(key),
        "ids": np.array(list(known.embeddings), dtype=np.str_),
        "embeddings": np.stack(list(known.embeddings.values())),
        "seconds": np.array(list(known.seconds.values())),
    }
    files.write_npz(path, arrays)


def _read(path: Path, key: str) -> _Known:
    """The content of a file with this key; nothing if it is missing, damaged or has another key."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) == key:
                ids = file["ids"].tolist()
                return _Known(
                    dict(zip(ids, file["embeddings"], strict=True)),
                    dict(zip(ids, file["seconds"].tolist(), strict=True)),
                )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    return _Known({}, {})
