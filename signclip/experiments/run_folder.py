"""What a run's folder says of itself, read without opening the model.

Decision: apart from :mod:`signclip.checkpoint`, so that checks of a run, tables and figures need no
torch, which takes seconds to import.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from signclip.core import files
from signclip.core.errors import ConfigError, RunError
from signclip.experiments.config import RunConfig, read_yaml

WEIGHTS, CONFIG, METRICS = "model.safetensors", "config.yaml", "metrics.json"
CURVES = "curves.csv"


def read_metrics(folder: Path | str) -> dict[str, Any]:
    """``metrics.json`` of a run.

    Raises:
        RunError: there is no finished run in the folder, or the file is damaged.
    """
    path = Path(folder) / METRICS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise RunError(
            f"{folder}: no finished run here; make it with `signclip train`, or import a released "
            "checkpoint with `signclip import-checkpoint`"
        ) from None
    except ValueError as error:  # not JSON, or not even UTF-8
        raise RunError(f"{path}: damaged ({error})") from None
    if not isinstance(values, dict) or not isinstance(values.get("sha256"), dict):
        raise RunError(f"{path}: damaged (no listing of the other files' sha256)")
    return values


def read_config(folder: Path | str) -> RunConfig:
    """The configuration that a run was trained with.

    Raises:
        RunError: it is missing or is no run's.
    """
    path = Path(folder) / CONFIG
    try:
        return RunConfig(**read_yaml(path)["run"])
    except (ConfigError, KeyError, TypeError, UnicodeDecodeError, ValidationError) as error:
        raise RunError(f"{path}: not a run's configuration ({error})") from None


def verify(folder: Path | str) -> None:
    """Hash a run's files again.

    Raises:
        RunError: naming the first file that is missing or changed.
    """
    changed = files.first_changed(Path(folder), read_metrics(folder)["sha256"])
    if changed is not None:
        raise RunError(f"{changed}: content differs from its recorded sha256")
