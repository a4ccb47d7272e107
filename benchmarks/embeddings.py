"""Embeddings of a corpus's clips, computed once a model and read again.

Decision: one file a run and feature store, with the key of what made it: the run's weights and the
store's content. Where the key differs the clips are embedded anew, so a file is never stale; clips
do not depend on their company, so it holds all of the store, whatever is asked of it. Path:
``embeddings/<corpus>/<experiment>/<seed>/<run>.<variant>.npz``. Cost: 4 bytes a number.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from signclip import checkpoint, files
from signclip.inference import SignCLIPModel
from signclip.store import FeatureStore


def of_clips(
    run: Path, model: SignCLIPModel, store: FeatureStore, cache: Path
) -> dict[str, np.ndarray]:
    """Id -> embedding, float32 (d,), of every clip of a store.

    Args:
        run: the run's folder, ``.../<experiment>/<seed>/<run>``.
        model: the same, opened.
        cache: folder of the corpus's embeddings.
    """
    weights = checkpoint.read_metrics(run)["sha256"][checkpoint.WEIGHTS]
    key = files.fingerprint({"weights": weights, "features": store.meta["sha256"]})
    experiment, seed, name = run.parts[-3:]
    path = cache / experiment / seed / f"{name}.{store.meta['variant']}.npz"
    ids = store.index["id"].to_numpy(dtype=np.str_)
    known = _read(path, key)
    if known is None:
        known = model.embed_pose([store.values(clip) for clip in ids], ids=list(ids))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.writing(path), files.atomic_file(path) as partial, open(partial, "wb") as file:
            np.savez(file, key=np.array(key), ids=ids, embeddings=known)
    return dict(zip(ids.tolist(), known, strict=True))


def _read(path: Path, key: str) -> np.ndarray | None:
    """The embeddings of a file with this key; None where there is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["embeddings"] if str(file["key"]) == key else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
