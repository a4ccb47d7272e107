"""Run folders of skeleton models: written, read strictly, and loaded as a recogniser.

A run has ``model.safetensors``, ``config.yaml`` (recipe and classes), ``metrics.json`` and its
learning curves, as a run of SignCLIP has (:mod:`signclip.checkpoint`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from baselines.label_scores import by_label
from baselines.skeletons import graph, networks, table
from baselines.skeletons.prediction import probabilities
from baselines.skeletons.recipe import Recipe
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.experiments.run_folder import CONFIG, METRICS, WEIGHTS, read_metrics
from signclip.poses.landmarks import Features
from signclip.text import label


class SkeletonModel(NamedTuple):
    """A trained model, loaded for evaluation."""

    recipe: Recipe
    classes: tuple[str, ...]
    network: networks.Streams
    metrics: dict[str, Any]

    @property
    def title(self) -> str:
        """The model's name in tables."""
        return table.row(self.recipe.model)["title"]

    @property
    def variant(self) -> str:
        """The feature variant that it reads."""
        return graph.VARIANT

    def score(self, clips: Sequence[Features], labels: Sequence[str]) -> np.ndarray:
        """Probabilities of labels, float32 (labels, clips).

        A label that is not a class scores below all others. Each clip is scored from its own frames
        alone.
        """
        found = probabilities(self.recipe, self.network, clips).numpy()
        return by_label(found.T, self.classes, [label(name) for name in labels])


def save(
    folder: Path,
    network: networks.Streams,
    recipe: Recipe,
    classes: Sequence[str],
    metrics: dict[str, Any],
) -> None:
    """Write a run's files into an existing (temporary) folder that already has its curves.

    The weights of all streams are one file; their names begin with ``streams.<stream>.``.
    """
    values = {"skeleton": recipe.model_dump(mode="json"), "classes": list(classes)}
    (folder / CONFIG).write_text(
        yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    weights = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    # safetensors makes its file readable by the owner only, whatever the umask
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    digests = {x.name: files.sha256_file(x) for x in folder.iterdir() if x.is_file()}
    (folder / METRICS).write_text(files.sealed_json({**metrics, "sha256": digests}), "utf-8")


def _read_config(folder: Path) -> tuple[Recipe, tuple[str, ...]]:
    """A run's recipe and classes.

    Raises:
        RunError: the file is missing or is not a skeleton run's.
    """
    path = folder / CONFIG
    try:
        values = read_yaml(path)
        return Recipe(**values["skeleton"]), tuple(map(str, values["classes"]))
    except (ConfigError, KeyError, TypeError, UnicodeDecodeError, ValidationError) as error:
        raise RunError(f"{path}: not a skeleton run's configuration ({error})") from None


def read_recipe(folder: Path | str) -> Recipe:
    """The recipe that a run was trained with.

    Raises:
        RunError: it is missing or is not a skeleton run's.
    """
    return _read_config(Path(folder))[0]


def load(folder: Path | str) -> SkeletonModel:
    """Load a run; its network is in evaluation mode, on a GPU if there is one.

    Raises:
        RunError: it is missing or damaged, or its weights do not fit its recipe.
    """
    folder = Path(folder)
    metrics = read_metrics(folder)
    recipe, classes = _read_config(folder)
    network = networks.from_recipe(recipe, len(classes))
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{folder / WEIGHTS}: cannot be loaded ({error})") from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return SkeletonModel(recipe, classes, network.eval().to(device), metrics)
