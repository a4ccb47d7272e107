"""A synthetic corpus of skeleton clips: the shape of the right hand alone determines the label."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from baselines.skeletons import graph
from baselines.skeletons.recipe import Recipe
from signclip import corpora, poses
from signclip.core.workspace import Workspace
from signclip.corpora import manifest
from signclip.features import store
from signclip.poses.landmarks import HANDS, RIGHT_HAND, Features

NAME = "synthetic"  # of the corpus
NAMES = poses.point_names(graph.VARIANT)
RIGHT = [NAMES.index(name) for name in HANDS[RIGHT_HAND]]


def _clip(shape: int, *, frames: int = 9, seed: int = 0) -> Features:
    """A clip of :data:`graph.VARIANT` whose right hand has shape number ``shape``.

    The left hand is never detected, the right one in all frames but the first.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.05, (frames, len(NAMES), 3)).astype(np.float32)
    values += np.random.default_rng(99).uniform(-1, 1, (len(NAMES), 3)).astype(np.float32)
    hand = np.random.default_rng(1000 + shape).uniform(-0.3, 0.3, (len(RIGHT), 3))
    values[:, RIGHT] = hand + rng.normal(0, 0.01, (frames, len(RIGHT), 3)) + 0.4
    valid = np.ones((frames, len(NAMES)), dtype=bool)
    valid[:, [i for i, (part, _) in enumerate(NAMES) if part.startswith("LEFT_HAND")]] = False
    valid[0, RIGHT] = False
    return Features(np.where(valid[..., None], values, 0).reshape(frames, -1), valid)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Features]:
    """Makes a clip; see :func:`_clip`."""
    return _clip


class Corpus(NamedTuple):
    """The corpus ``synthetic``, with one split ``official``, and its feature store."""

    workspace: Workspace

    @property
    def folder(self) -> Path:
        """Manifest and splits."""
        return self.workspace.corpus(NAME)

    @property
    def store(self) -> store.FeatureStore:
        """The features that skeleton models read."""
        return store.FeatureStore(self.workspace.store(NAME, graph.VARIANT))


def _corpus(folder: Path, rows: Sequence[tuple[str, str]]) -> Corpus:
    """Write a corpus of (label, role); a label's position in the alphabet is its hand shape."""
    table = pd.DataFrame(
        {
            "id": [f"clip-{i}" for i in range(len(rows))],
            "path": [f"clip-{i}.pose" for i in range(len(rows))],
            "sha256": [f"{i:064x}" for i in range(len(rows))],
            "text": [text for text, _ in rows],
            "sign_language": "ase",
            "spoken_language": "en",
            "signer": "",
            "split": [role for _, role in rows],
            "frames": [8 + i % 3 for i in range(len(rows))],
            "fps": 25.0,
        }
    )
    split = pd.DataFrame(
        {"split": "official", "fold": 0, "id": table["id"], "role": table["split"]}
    )
    dropped = pd.DataFrame(columns=list(manifest.DROPPED_COLUMNS))
    made = Corpus(Workspace(data=folder / "data", features=folder / "features"))
    corpora.write(made.folder, table, dropped, split)
    clips = (
        _clip(ord(row.text[0]) - ord("a"), frames=row.frames, seed=i)
        for i, row in enumerate(table.itertuples())
    )
    out = made.workspace.store(NAME, graph.VARIANT)
    store.write_features(table, clips, graph.VARIANT, out, progress=False)
    return made


@pytest.fixture
def make_corpus(tmp_path) -> Callable[[Sequence[tuple[str, str]]], Corpus]:
    """Writes a corpus into the test's folder; see :func:`_corpus`."""
    return lambda rows: _corpus(tmp_path, rows)


LEARNABLE = [(text, "train") for text in "abc" for _ in range(6)] + [
    (text, role) for role in ("validation", "test") for text in "abc" for _ in range(2)
]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    """Three labels with six training, two validation and two test clips each; shared, read-only."""
    return _corpus(tmp_path_factory.mktemp("skeletons"), LEARNABLE)


def _recipe(model: str = "stgcn", **changes) -> Recipe:
    maps = dict(streams=("heat_map",), points="hands", map_size=12)
    maps["backbone"] = dict(
        base_channels=4, stage_blocks=[1, 1, 1], conv1_kernel=[1, 3, 3], conv1_stride_s=2
    )
    graphs = dict(
        streams=("joint", "bone"),
        backbone=dict(base_channels=8, num_stages=2, inflate_stages=[2], down_stages=[2]),
    )
    values = dict(
        profile="test",
        corpus=NAME,
        split="official",
        fold=None,
        seed=0,
        frames=4,
        batch_size=6,
        epochs=1,
        learning_rate=0.05,
        validate_every=1,
    )
    return Recipe(model=model, **(values | (maps if model == "posec3d" else graphs) | changes))


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """Makes the recipe of a tiny model; see :func:`_recipe`."""
    return _recipe
