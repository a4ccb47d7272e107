"""Embeddings of a corpus's clips, computed once a model and read again.

Decisions
* One file a run and feature store, with the key of what made it: the run's weights and
  configuration, the store's content, and the code and packages that turn one into the other. Where
  the key differs the clips are embedded anew, so a file is never stale.
* Clips depend on their company by rounding alone, so a file holds those that were asked for so far,
  whoever asked, and what each took: costs are told alike whether a clip was embedded now or before.
* Files are read without a lock and replaced whole; who embeds holds the lock of the file. It is
  written now and then, so that one of a large corpus that is killed keeps most of its work.

Path: ``embeddings/<corpus>/<experiment>/<seed>/<run>.<variant>.npz``. Cost: 4 bytes a number; while
clips are embedded, the features of :data:`PART` (1 GB at 609 numbers a frame and 100 frames).
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import signclip
from signclip.core import files
from signclip.experiments import run_folder
from signclip.features.store import FeatureStore

if TYPE_CHECKING:
    from signclip.inference import SignCLIPModel

_CODE = (
    "checkpoint",
    "data",
    "hands",
    "inference",
    "model",
    "poses",
    "store",
    "unpadded",
    "windows",
)
_PACKAGES = ("torch", "transformers")
# Clips read and embedded at a time: memory alone, since embed_pose cuts its items into runs of 256.
PART = 4096
PARTS_A_WRITE = 12  # 49,152 clips


class ClipEmbeddings(NamedTuple):
    """Clips in a model's space."""

    values: np.ndarray  # float32 (n, d)
    seconds: np.ndarray  # (n,), that each took when it was embedded


class _Known(NamedTuple):
    """The content of a file, by id."""

    embeddings: dict[str, np.ndarray]
    seconds: dict[str, float]


class Cache:
    """Embeddings of a store's clips.

    Args:
        folder: of the corpus's embeddings.
    """

    def __init__(self, folder: Path, store: FeatureStore):
        self._folder, self._store = folder, store

    def embed(self, run: Path, model: SignCLIPModel, ids: Sequence[str]) -> ClipEmbeddings:
        """Embeddings of clips.

        Args:
            run: the run's folder, ``.../<experiment>/<seed>/<run>``.
            model: the same, opened.

        Raises:
            BusyError: another process is embedding them.
        """
        key = _key(run, self._store, model.device.type)
        experiment, seed, name = run.parts[-3:]
        path = self._folder / experiment / seed / f"{name}.{self._store.meta['variant']}.npz"
        known = _read(path, key)
        wanted = dict.fromkeys(ids)
        if not known.embeddings.keys() >= wanted.keys():
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.writing(path):
                known = _read(path, key)  # the one before may just have written it
                missing = [clip for clip in wanted if clip not in known.embeddings]
                for start in range(0, len(missing), PART):
                    self._embed(model, missing[start : start + PART], known)
                    done = start // PART + 1
                    if done % PARTS_A_WRITE == 0 or start + PART >= len(missing):
                        _write(path, key, known)
        return ClipEmbeddings(
            np.stack([known.embeddings[clip] for clip in ids]),
            np.array([known.seconds[clip] for clip in ids]),
        )

    def _embed(self, model: SignCLIPModel, part: list[str], known: _Known) -> None:
        start = time.perf_counter()
        values = [self._store.values(clip) for clip in part]
        found = model.embed_pose(values, ids=part)
        each = (time.perf_counter() - start) / len(part)
        known.embeddings.update(zip(part, found, strict=True))
        known.seconds.update(dict.fromkeys(part, each))


def _key(run: Path, store: FeatureStore, device: str) -> str:
    """Changes when anything that decides an embedding does, its last bits and its cost included."""
    there = run_folder.read_metrics(run)["sha256"]
    here = Path(signclip.__file__).parent
    return files.fingerprint(
        {
            "run": {name: there[name] for name in (run_folder.WEIGHTS, run_folder.CONFIG)},
            "features": store.meta["sha256"],
            "device": device,
            "code": {name: files.sha256_code(here / f"{name}.py") for name in _CODE},
            "versions": {name: version(name) for name in _PACKAGES},
        }
    )


def _write(path: Path, key: str, known: _Known) -> None:
    with files.atomic_file(path) as partial, open(partial, "wb") as file:
        np.savez(
            file,
            key=np.array(key),
            ids=np.array(list(known.embeddings), dtype=np.str_),
            embeddings=np.stack(list(known.embeddings.values())),
            seconds=np.array(list(known.seconds.values())),
        )


def _read(path: Path, key: str) -> _Known:
    """What a file with this key holds; nothing where there is none, or a damaged one."""
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
