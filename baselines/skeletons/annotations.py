"""MMAction2's annotation format: for people who train their own configurations on our splits.

Decisions
* The pickle is what ``PoseDataset`` reads: ``{"split": {name: ids}, "annotations": [...]}``, and
  beside these ``classes`` (a label's number is its place), and ``graph``, the layout to give to
  ``graph_cfg``. The splits are ``train``, ``validation`` and ``test``.
* Numbers go to the labels of training clips first, so that ``num_classes`` is their count
  (``trained_classes``). A label that only other clips have gets a number behind them, which no such
  model can answer: its clips count as wrong, and the export says how many there are.
* Places are pixels of a made-up picture with the middle of the shoulders in its middle, so that
  ``PreNormalize2D`` gives what :mod:`baselines.skeletons.adapter` makes. A point that was not seen is (0, 0)
  with a score of 0, as MMAction2 has it.

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
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore
from signclip.poses import Features
from signclip.text import label

PICTURE = 1024  # pixels, square
SHOULDERS = PICTURE / 2 / adapter.HALF_PICTURE  # pixels, a shoulder width
ROLES = ("train", "validation", "test")


def annotation(
    name: str, clip: Features, skeleton: Skeleton, number: int, hand_reach: float | None = None
) -> dict[str, Any]:
    """A clip as MMAction2 has it: ``keypoint`` (1, frames, points, 2) in pixels, its score beside.

    Args:
        clip: of :data:`baselines.skeletons.graph.VARIANT`.
        number: of its label.
        hand_reach: see :mod:`baselines.skeletons.adapter`.
    """
    places, seen = adapter.track(clip, skeleton, hand_reach)
    pixels = places * np.float32(SHOULDERS) + np.float32(PICTURE / 2)
    return {
        "frame_dir": name,
        "label": number,
        "img_shape": (PICTURE, PICTURE),
        "original_shape": (PICTURE, PICTURE),
        "total_frames": len(seen),
        "keypoint": np.where(seen[..., None], pixels, np.float32(0))[None],
        "keypoint_score": seen.astype(np.float32)[None],
    }


class Fold(NamedTuple):
    """A fold's clips and what their labels are numbered as."""

    clips: dict[str, list[str]]  # role -> ids that the store has
    label_of: dict[str, str]
    classes: tuple[str, ...]
    trained: int  # of the classes, those that training clips have; they come first


def read_fold(corpus: Path, split: str, fold: int | None, store: FeatureStore) -> Fold:
    """A fold of a split.

    Raises:
        ConfigError: there is no such fold, it must be chosen, or it has no training clip.
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
    classes: int  # that training clips have
    unanswerable: int  # clips whose label no training clip has


def export(
    corpus: Path,
    features: Path,
    out: Path,
    *,
    split: str,
    fold: int | None = None,
    points: str = "signing",
    hand_reach: float | None = None,
) -> Exported:
    """Write a fold as an annotation pickle, whole or not at all.

    Args:
        corpus: folder with manifest and splits.
        features: folder of the feature stores.
        points: of :data:`baselines.skeletons.graph.POINTS`.

    Raises:
        ConfigError: the file's name does not end in ``.pkl``, or see :func:`read_fold`.
        StoreError: the features are missing or of another manifest.
    """
    if out.suffix != ".pkl":
        raise ConfigError(f"{out}: MMAction2 reads files that end in .pkl only")
    store = FeatureStore.of(manifest.read(corpus), features / graph.VARIANT)
    chosen, skeleton = read_fold(corpus, split, fold, store), graph.skeleton(points)
    number = {name: i for i, name in enumerate(chosen.classes)}
    content = {
        "split": chosen.clips,
        "annotations": [
            annotation(i, store[i], skeleton, number[chosen.label_of[i]], hand_reach)
            for ids in chosen.clips.values()
            for i in ids
        ],
        "classes": list(chosen.classes),
        "trained_classes": chosen.trained,
        "graph": skeleton.layout(),
    }
    with files.atomic_file(out) as partial, open(partial, "wb") as file:
        pickle.dump(content, file, protocol=4)
    beyond = set(chosen.classes[chosen.trained :])
    return Exported(
        {role: len(ids) for role, ids in chosen.clips.items()},
        chosen.trained,
        sum(name in beyond for name in chosen.label_of.values()),
    )
