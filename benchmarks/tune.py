"""Choosing learning rate, epochs and sizes on validation clips, and writing down what was tried.

Decision: one grid a recipe (``tuning`` in ``params.yaml``), tried on the named rows and all folds
of a split; the setting with the best mean validation V2T R@1 over rows and folds is what the recipe
in ``params.yaml`` should say, unless its comment tells why not. Test clips are not read. A number
within another is named with a dot (``towers.pose_layers``).

Cost: every cell of the grid is a full training; it is no part of ``make repro``, its outcome is
committed (``results/tuning/<recipe>.csv``). All trainings of the grid run side by side: a setting
alone may be a single one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from signclip import checkpoint
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.jobs import run_all
from signclip.corpora import splits
from signclip.core.config import read_yaml
from signclip.core.workspace import RunId, Workspace
from signclip.experiments.config import RunConfig
from signclip.experiments.table import resolve

# Clips that are trained with two texts are asked for both; the mean of the two counts.
METRICS = ("validation_V2T_R@1", "validation_label_V2T_R@1")


class Trial(NamedTuple):
    """One training of the grid, in a runs folder of its setting."""

    setting: int  # its place in the grid
    config: RunConfig
    runs: Path


def _train(trial: Trial, *, workspace: Workspace, progress: Callable) -> Path:
    from signclip.training.train import train  # in the processes that train alone

    return train(trial.config, workspace.replace(runs=trial.runs), progress=progress)


def _nested(setting: Mapping[str, Any]) -> dict[str, Any]:
    """``{"towers.pose_layers": 1}`` -> ``{"towers": {"pose_layers": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in setting.items():
        *places, last = name.split(".")
        inner = nested
        for place in places:
            inner = inner.setdefault(place, {})
        inner[last] = value
    return nested


def _score(last: Mapping[str, float]) -> float:
    scores = [last[name] for name in METRICS if name in last]
    return sum(scores) / len(scores)


def tune(
    recipe: str,
    *,
    experiments: Path,
    params: Path,
    profile: str,
    corpus: str,
    data: Path,
    features: Path,
    runs: Path,
    out: Path,
    jobs: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Train the recipe's grid; write and return one row a setting, best first.

    Args:
        runs: scratch folder of the trials (kept, so that an interrupted search goes on).

    Raises:
        ConfigError: ``params.yaml`` has no grid for the recipe.
    """
    grids = read_yaml(params).get("tuning", {})
    if recipe not in grids:
        raise ConfigError(f"{params}: no tuning grid {recipe!r}; there are {', '.join(grids)}")
    grid = dict(grids[recipe])
    rows, split = grid.pop("rows"), grid.pop("split")
    folds = splits.fold_numbers(splits.read(data / corpus, split))
    settings = [dict(zip(grid, v, strict=True)) for v in itertools.product(*grid.values())]
    workspace = Workspace(data=data, features=features, params=params, experiments=experiments)
    trials = [
        Trial(
            number,
            resolve(
                RunId(row, profile, corpus, split, fold, seed),
                workspace,
                given=_nested(setting),
            ),
            runs / ",".join(f"{key}={value}" for key, value in setting.items()),
        )
        for number, setting in enumerate(settings)
        for row in rows
        for fold in folds
    ]
    paths = run_all(
        f"{__name__}:_train",
        trials,
        jobs=jobs,
        total=sum(trial.config.epochs for trial in trials),
        desc=f"{recipe}: {len(settings)} settings, {len(trials)} runs",
        workspace=workspace,
    )
    found = pd.DataFrame(
        {
            "setting": [trial.setting for trial in trials],
            "row": [trial.config.experiment for trial in trials],
            "score": [_score(checkpoint.read_metrics(path)["last"]) for path in paths],
        }
    )
    table = [
        {
            **setting,
            "mean": of_setting["score"].mean(),
            **of_setting.groupby("row")["score"].mean(),
            "runs": len(of_setting),
        }
        for setting, (_, of_setting) in zip(settings, found.groupby("setting"), strict=True)
    ]
    result = pd.DataFrame(table).sort_values("mean", ascending=False, kind="stable")
    with files.atomic_file(out) as partial:
        result.to_csv(partial, index=False, float_format="%.6g")
    return result
