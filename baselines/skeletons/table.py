"""Skeleton models by name: the table ``models.yaml``, and imported ones; no name costs torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from signclip.core.errors import ConfigError
from signclip.experiments.config import read_yaml
from signclip.experiments.run_folder import CONFIG

MODELS_FILE = Path(__file__).with_name("models.yaml")
GRAPH, MAPS = "graph", "maps"  # what a model takes
IMPORTED = "mmaction2"  # of an imported run's config.yaml, in the place of a recipe


@cache
def _read() -> dict[str, dict[str, dict[str, Any]]]:
    return yaml.safe_load(MODELS_FILE.read_text(encoding="utf-8"))


def models() -> dict[str, dict[str, Any]]:
    """Models by name."""
    return _read()["models"]


def missing() -> dict[str, dict[str, Any]]:
    """Models that were asked for and cannot be had, by name, with the reason."""
    return _read()["missing"]


def row(model: str) -> dict[str, Any]:
    """A model's row.

    Raises:
        ConfigError: no such model; where it was asked for and cannot be had, the reason.
    """
    if model in missing():
        about = missing()[model]
        raise ConfigError(f"{about['title']} cannot be trained: {about['reason']}")
    if model not in models():
        raise ConfigError(f"unknown skeleton model {model!r}; there are {', '.join(models())}")
    return models()[model]


def is_imported(folder: Path) -> bool:
    """Is it an imported run, or a folder of such by seed?"""
    found = [folder / CONFIG] if (folder / CONFIG).is_file() else folder.glob(f"*/*/{CONFIG}")
    for path in found:
        try:
            return IMPORTED in read_yaml(path)
        except (ConfigError, UnicodeDecodeError):
            continue  # damaged: whoever reads it says so
    return False


def is_skeleton(name: str, runs: Path) -> bool:
    """Is it a model of ``models.yaml``, or one with imported runs?"""
    return name in models() or is_imported(runs / name)
