"""Embeddings of a corpus's clips, computed once a model and read again.

Decision: one file a run and feature store, with the key of what made it: the run's weights and the
store's content. Where the key differs the clips are embedded anew, so a file is never stale. Clips
do not depend on their company, so a file holds those that were asked for so far, whoever asked, and
what they took, so that costs are told alike whether a clip was embedded now or before. Path:
``embeddings/<corpus>/<experiment>/<seed>/<run>.<variant>.npz``. Cost: 4 bytes a number.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from signclip import checkpoint, files
from signclip.inference import SignCLIPModel
from signclip.store import FeatureStore


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
        self.saved_seconds = 0.0  # what those read again once took

    def embed(self, run: Path, model: SignCLIPModel, ids: Sequence[str]) -> np.ndarray:
        """Embeddings of clips, float32 (n, d).

        Args:
            run: the run's folder, ``.../<experiment>/<seed>/<run>``.
            model: the same, opened.
        """
        weights = checkpoint.read_metrics(run)["sha256"][checkpoint.WEIGHTS]
        key = files.fingerprint({"weights": weights, "features": self._store.meta["sha256"]})
        experiment, seed, name = run.parts[-3:]
        path = self._folder / experiment / seed / f"{name}.{self._store.meta['variant']}.npz"
        with files.writing(path):
            known = _read(path, key)
            missing = [i for i in dict.fromkeys(ids) if i not in known.embeddings]
            self.saved_seconds += sum(known.seconds.get(i, 0.0) for i in dict.fromkeys(ids))
            if missing:
                start = time.perf_counter()
                values = [self._store.values(clip) for clip in missing]
                found = model.embed_pose(values, ids=missing)
                each = (time.perf_counter() - start) / len(missing)
                known.embeddings.update(zip(missing, found, strict=True))
                known.seconds.update(dict.fromkeys(missing, each))
                _write(path, key, known)
        return np.stack([known.embeddings[clip] for clip in ids])


def _write(path: Path, key: str, known: _Known) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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
