"""Export of a fold in MMAction2's annotation format, for training configurations of one's own.

Decisions
* The pickle is what ``PoseDataset`` reads, ``{"split": {name: ids}, "annotations": [...]}``, plus
  ``classes`` (labels by number), ``trained_classes`` (how many of them training clips have) and
  ``graph`` (the layout for ``graph_cfg``). The splits are ``train``, ``validation`` and ``test``.
* Labels of training clips are numbered first, so that ``num_classes`` is their count. A label that
  only other clips have gets a higher number, which such a model cannot predict: its clips count as
  wrong, and the export reports how many there are.
* Coordinates are pixels of a synthetic picture centred on the middle of the shoulders, so that
  ``PreNormalize2D`` gives what :mod:`baselines.skeletons.adapter` makes. A point that was not
  detected is (0, 0) with a score of 0, MMAction2's convention.

Cost: 0.2 ms and 35 KB a clip of 26 frames and 57 points.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines.skeletons import adapter, graph
from baselines.skeletons.graph import Skeleton
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore
from signclip.poses import Features
from signclip.text import label

PICTURE = 1024  # pixels; the picture is square
SHOULDER_WIDTH = PICTURE / 2 / adapter.HALF_PICTURE  # pixels
ROLES = ("train", "validation", "test")


def annotation(
    clip_id: str,
    clip: Features,
    skeleton: Skeleton,
    class_index: int,
    hand_reach: float | None = None,
) -> dict[str, Any]:
    """MMAction2's annotation of a clip: ``keypoint`` (1, frames, points, 2) in pixels, and scores.

    Args:
        clip: features of :data:`baselines.skeletons.graph.VARIANT`.
        hand_reach: see :mod:`baselines.skeletons.adapter`.
    """
    xy, detected = adapter.keypoints(clip, skeleton, hand_reach)
    pixels = xy * np.float32(SHOULDER_WIDTH) + np.float32(PICTURE / 2)
    return {
        "frame_dir": clip_id,
        "label": class_index,
        "img_shape": (PICTURE, PICTURE),
        "original_shape": (PICTURE, PICTURE),
        "total_frames": len(detected),
        "keypoint": np.where(detected[..., None], pixels, np.float32(0))[None],
        "keypoint_score": detected.astype(np.float32)[None],
    }


class Fold(NamedTuple):
    """A fold's clips and the numbering of their labels."""

    clips: dict[str, list[str]]  # role -> ids of clips in the store
    label_of: dict[str, str]
    classes: tuple[str, ...]  # labels by number
    trained: int  # number of classes that training clips have; they come first


def read_fold(corpus: Path, split: str, fold: int | None, store: FeatureStore) -> Fold:
    """Read a fold of a split.

    Raises:
        ConfigError: the fold does not exist, must be chosen, or has no training clip.
    """
    rows = splits.read(corpus, split)
    numbers = splits.fold_numbers(rows)
    if fold is None and numbers != [None]:
        raise ConfigError(f"split {split!r} has folds {numbers}: choose one with --fold")
    rows = rows[rows["fold"] == (fold or 0)]
    if rows.empty:
        raise ConfigError(f"split {split!r} has no fold {fold}")
    text_of = manifest.read(corpus).set_index("id")["text"]
    clips = {role: [i for i in rows["id"][rows["role"] == role] if i in store] for role in ROLES}
    if not clips["train"]:
        raise ConfigError(f"split {split!r}, fold {fold or 0}: no training clip is in the store")
    label_of = {i: label(text_of[i]) for ids in clips.values() for i in ids}
    trained = sorted({label_of[i] for i in clips["train"]})
    others = sorted(set(label_of.values()) - set(trained))
    return Fold(clips, label_of, (*trained, *others), len(trained))


class Exported(NamedTuple):
    """What an export wrote."""

    clips: dict[str, int]  # by role
    classes: int  # labels of training clips
    unpredictable: int  # clips whose label no training clip has


def export(
    workspace: Workspace,
    corpus: str,
    out: Path,
    *,
    split: str,
    fold: int | None = None,
    points: str = "signing",
    hand_reach: float | None = None,
) -> Exported:
    """Write a fold as an annotation pickle, atomically.

    Args:
        workspace: has the built corpus and its feature store.
        points: selection of :data:`baselines.skeletons.graph.POINTS`.

    Raises:
        ConfigError: the file's name does not end in ``.pkl``, or see :func:`read_fold`.
        StoreError: the features are missing or belong to another manifest.
    """
    if out.suffix != ".pkl":
        raise ConfigError(f"{out}: MMAction2 reads only files that end in .pkl")
    folder = workspace.corpus(corpus)
    store = FeatureStore.of(manifest.read(folder), workspace.store(corpus, graph.VARIANT))
    chosen, skeleton = read_fold(folder, split, fold, store), graph.skeleton(points)
    index = {name: i for i, name in enumerate(chosen.classes)}
    content = {
        "split": chosen.clips,
        "annotations": [
            annotation(i, store[i], skeleton, index[chosen.label_of[i]], hand_reach)
            for ids in chosen.clips.values()
            for i in ids
        ],
        "classes": list(chosen.classes),
        "trained_classes": chosen.trained,
        "graph": skeleton.layout(),
    }
    with files.atomic_file(out) as partial, open(partial, "wb") as file:
        pickle.dump(content, file, protocol=4)
    untrained = set(chosen.classes[chosen.trained :])
    return Exported(
        {role: len(ids) for role, ids in chosen.clips.items()},
        chosen.trained,
        sum(name in untrained for name in chosen.label_of.values()),
    )
