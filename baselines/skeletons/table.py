"""Skeleton models by name: the table ``baselines/models.yaml``, and imported runs.

Decision: nothing here imports torch, so that commands and suites can look a name up. The table lies
beside the package, not in it: the package's files decide every run's weights, while a row decides
the weights of its own model only.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError
from signclip.experiments.run_folder import CONFIG

TABLE = Path(__file__).parents[1] / "models.yaml"
GRAPH, MAPS = "graph", "maps"  # values of `takes`, a model's kind of input
IMPORTED = "mmaction2"  # key of an imported run's config.yaml, in place of a recipe
NOT_IN_FINGERPRINT = ("title", "source")  # columns of a row that change no bit of the weights


@cache
def _read(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    return read_yaml(path)


def models() -> dict[str, dict[str, Any]]:
    """Rows by model name."""
    return _read(TABLE)["models"]


def missing() -> dict[str, dict[str, Any]]:
    """Models that cannot be trained here, by name, with the reason."""
    return _read(TABLE)["missing"]


def row(model: str) -> dict[str, Any]:
    """A model's row.

    Raises:
        ConfigError: there is no such model, or it cannot be trained here (with the reason).
    """
    if model in missing():
        about = missing()[model]
        raise ConfigError(f"{about['title']} cannot be trained: {about['reason']}")
    if model not in models():
        raise ConfigError(f"unknown skeleton model {model!r}; there are {', '.join(models())}")
    return models()[model]


def is_imported(folder: Path) -> bool:
    """Whether a run folder holds an imported checkpoint."""
    try:
        return IMPORTED in read_yaml(folder / CONFIG)
    except (ConfigError, UnicodeDecodeError):
        return False  # missing or damaged: reported when the run is loaded


def is_skeleton(name: str, runs: Path) -> bool:
    """Whether a name is a model of the table or has imported runs.

    Args:
        runs: imported runs lie below ``runs/<name>`` or ``runs/<any folder>/<name>``.
    """
    if name in models():
        return True
    found = (path for prefix in ("", "*/") for path in runs.glob(f"{prefix}{name}/*/*/{CONFIG}"))
    return any(is_imported(path.parent) for path in found)
