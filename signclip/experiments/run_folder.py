"""Reading and verifying a run folder without loading its model.

Decision: separate from :mod:`signclip.checkpoint`, so that checks of a run, tables and figures
never import torch, which takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import is_unfinished
from signclip.experiments.config import RunConfig

WEIGHTS, CONFIG, METRICS = "model.safetensors", "config.yaml", "metrics.json"
CURVES = "curves.csv"
# Field of a stored configuration -> its present name.
RENAMED_FIELDS = {"apart": "split_prompt"}


def read_metrics(folder: Path | str) -> dict[str, Any]:
    """Read ``metrics.json`` of a run.

    Raises:
        RunError: the folder holds no finished run, or the file is damaged.
    """
    path = Path(folder) / METRICS
    try:
        values = files.read_json(path)
    except OSError:
        if is_unfinished(Path(folder)):
            raise RunError(
                f"{folder}: not finished; the state of its training lies beside it, and the "
                "command that began it resumes it"
            ) from None
        raise RunError(
            f"{folder}: no finished run here; make it with `signclip train EXPERIMENT`, or import "
            "a released checkpoint with `signclip import-checkpoint FILE FOLDER`"
        ) from None
    except ValueError as error:  # not JSON, or not even UTF-8
        raise RunError(f"{path}: damaged ({error})") from None
    if not isinstance(values, dict) or not isinstance(values.get("sha256"), dict):
        raise RunError(f"{path}: damaged (it does not list the sha256 of the other files)")
    return values


def check_model(path: Path) -> None:
    """Refuse the path of a model where there is none, before torch is imported.

    Raises:
        RunError: it is no file, and no folder with a finished run or an imported model.
    """
    if (
        not path.is_file() and path.suffix != ".pt"
    ):  # the reader of .pt files names its own problems
        read_metrics(path)


def read_config(folder: Path | str) -> RunConfig:
    """The configuration that a run was trained with; a field's former name is understood.

    Raises:
        RunError: it is missing or is not a run's configuration.
    """
    path = Path(folder) / CONFIG
    try:
        values = read_yaml(path)["run"].items()
        return RunConfig(**{RENAMED_FIELDS.get(name, name): value for name, value in values})
    except (
        AttributeError,
        ConfigError,
        KeyError,
        TypeError,
        UnicodeDecodeError,
        ValidationError,
    ) as error:
        raise RunError(f"{path}: not a run's configuration ({error})") from None


def verify(folder: Path | str) -> None:
    """Compare a run's files with their recorded hashes.

    Raises:
        RunError: naming the first file that is missing or changed.
    """
    for path in files.changed(Path(folder), read_metrics(folder)["sha256"]):
        raise RunError(f"{path}: content differs from its recorded sha256")
