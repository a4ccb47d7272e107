"""Tuning on validation clips: every setting of a grid is trained and its score recorded.

Decision: there is one grid per recipe (``tuning`` in ``params.yaml``), trained on its rows and all
folds of its split. The setting with the best mean validation V2T R@1 over rows and folds belongs
into the recipe in ``params.yaml``, unless the comment there gives a reason. Test clips are not
read. A setting inside another one is named with a dot (``towers.pose_layers``).

Cost: every cell of the grid is a full training, so this is not part of ``make repro``; its outcome
is committed (``results/tuning/<recipe>.csv``). All trainings of the grid run side by side, since
one setting alone may be a single training.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError
from signclip.core.jobs import run_all
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import splits
from signclip.experiments.config import RunConfig
from signclip.experiments.run_folder import read_metrics
from signclip.experiments.table import resolve

# Rows that are trained with two texts per clip have both metrics; the mean of the two counts.
METRICS = ("validation_V2T_R@1", "validation_label_V2T_R@1")


class Trial(NamedTuple):
    """One training of the grid; its runs folder is that of its setting."""

    setting: int  # position in the grid
    config: RunConfig
    runs: Path


def _train(trial: Trial, *, workspace: Workspace, progress: Callable) -> Path:
    from signclip.training.train import train  # only in the processes that train

    return train(trial.config, workspace.replace(runs=trial.runs), progress=progress)


def _nested(setting: Mapping[str, Any]) -> dict[str, Any]:
    """``{"towers.pose_layers": 1}`` -> ``{"towers": {"pose_layers": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in setting.items():
        *outer, last = name.split(".")
        inner = nested
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return nested


def _score(last: Mapping[str, float]) -> float:
    scores = [last[name] for name in METRICS if name in last]
    return sum(scores) / len(scores)


def tune(
    recipe: str,
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    jobs: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Train a recipe's grid; write and return one row per setting, the best first.

    Args:
        workspace: ``runs`` is the folder of the trials, which are kept, so that an interrupted
            search resumes. The table is ``results/tuning/<recipe>.csv``.

    Raises:
        ConfigError: ``params.yaml`` has no grid for the recipe.
    """
    grids = read_yaml(workspace.params).get("tuning", {})
    if recipe not in grids:
        raise ConfigError(
            f"{workspace.params}: no tuning grid {recipe!r}; there are {', '.join(grids)}"
        )
    grid = dict(grids[recipe])
    rows, split = grid.pop("rows"), grid.pop("split")
    folds = splits.fold_numbers(splits.read(workspace.corpus(corpus), split))
    settings = [dict(zip(grid, x, strict=True)) for x in itertools.product(*grid.values())]
    trials = [
        Trial(
            number,
            resolve(
                RunId(row, profile, corpus, split, fold, seed), workspace, given=_nested(setting)
            ),
            workspace.runs / ",".join(f"{key}={value}" for key, value in setting.items()),
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
    scores = pd.DataFrame(
        {
            "setting": [trial.setting for trial in trials],
            "row": [trial.config.experiment for trial in trials],
            "score": [_score(read_metrics(path)["last"]) for path in paths],
        }
    )
    table = [
        {
            **setting,
            "mean": of_setting["score"].mean(),
            **of_setting.groupby("row")["score"].mean(),
            "runs": len(of_setting),
        }
        for setting, (_, of_setting) in zip(settings, scores.groupby("setting"), strict=True)
    ]
    result = pd.DataFrame(table).sort_values("mean", ascending=False, kind="stable")
    with files.atomic_file(workspace.results / "tuning" / f"{recipe}.csv") as partial:
        result.to_csv(partial, index=False, float_format="%.6g")
    return result
