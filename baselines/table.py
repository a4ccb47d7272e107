"""The table of skeleton models, ``models.yaml``; apart, so that names cost no import of torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from signclip.errors import ConfigError

MODELS_FILE = Path(__file__).with_name("models.yaml")
GRAPH, MAPS = "graph", "maps"  # what a model takes


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
