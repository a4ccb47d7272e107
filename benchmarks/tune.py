"""Tuning on validation clips: every setting of a grid is trained and its score recorded.

Decisions
* There is one grid per recipe (``tuning`` in ``params.yaml``), trained on its rows and all folds of
  its splits. The setting with the best validation V2T R@1, the mean over splits of the mean over
  rows and folds, belongs into the recipe in ``params.yaml``, unless the comment there gives a
  reason. A setting inside another one is named with a dot (``towers.pose_layers``).
* A run's validation is recorded twice: after its last epoch, and at its lowest validation loss,
  since either may give the weights (``select``).
* Test clips are not read. But the validation clips of one fold are test clips of another, so what
  is chosen over all folds has been influenced by them; ``<recipe>-folds.csv`` has the scores fold
  by fold, from which :mod:`benchmarks.nested` tells what that is worth.

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
from signclip.experiments.run_folder import CURVES
from signclip.experiments.table import resolve

# Rows that are trained with two texts per clip have both metrics; the mean of the two counts.
SCORE = "last"  # by which a setting is chosen
FOLDS_FILE = "{}-folds.csv"
METRICS = ("validation_V2T_R@1", "validation_label_V2T_R@1")


class Trial(NamedTuple):
    """One training of the grid; its runs folder is that of its setting."""

    setting: int  # position in the grid
    config: RunConfig
    runs: Path


def _train(trial: Trial, *, workspace: Workspace, progress: Callable) -> Path:
    from signclip.training.train import train  # only in the processes that train

    return train(trial.config, workspace.replace(runs=trial.runs), progress=progress)


def nested_setting(setting: Mapping[str, Any]) -> dict[str, Any]:
    """``{"towers.pose_layers": 1}`` -> ``{"towers": {"pose_layers": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in setting.items():
        *outer, last = name.split(".")
        inner = nested
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return nested


def _scores(curve: pd.DataFrame) -> dict[str, float]:
    """The validation of one run: its R@1 and losses at the end, and at its lowest loss."""
    score = curve[[name for name in METRICS if name in curve]].mean(axis=1)
    lowest = curve["validation_loss"].idxmin()
    return {
        "last": score.iloc[-1],
        "at_lowest_loss": score[lowest],
        "lowest_loss_epoch": int(curve["epoch"][lowest]),
        "training_loss": curve["loss"].iloc[-1],
        "validation_loss": curve["validation_loss"].iloc[-1],
        "lowest_validation_loss": curve["validation_loss"][lowest],
    }


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
    rows, names = grid.pop("rows"), grid.pop("splits")
    folds = {
        name: splits.fold_numbers(splits.read(workspace.corpus(corpus), name)) for name in names
    }
    settings = [dict(zip(grid, x, strict=True)) for x in itertools.product(*grid.values())]
    trials = [
        Trial(
            number,
            resolve(
                RunId(row, profile, corpus, split, fold, seed),
                workspace,
                given=nested_setting(setting),
            ),
            workspace.runs / ",".join(f"{key}={value}" for key, value in setting.items()),
        )
        for number, setting in enumerate(settings)
        for row in rows
        for split in names
        for fold in folds[split]
    ]
    paths = run_all(
        f"{__name__}:_train",
        trials,
        jobs=jobs,
        total=sum(trial.config.epochs for trial in trials),
        desc=f"{recipe}, {len(trials)} runs",
        workspace=workspace,
    )
    by_run = pd.DataFrame(
        {
            **settings[trial.setting],
            "row": trial.config.experiment,
            "split": trial.config.split,
            "fold": trial.config.fold or 0,
            "run": str(path.relative_to(workspace.runs)),
            **_scores(pd.read_csv(path / CURVES)),
        }
        for trial, path in zip(trials, paths, strict=True)
    )
    result = summary(by_run, list(grid))
    for name, table in ((FOLDS_FILE.format(recipe), by_run), (f"{recipe}.csv", result)):
        with files.atomic_file(workspace.results / "tuning" / name) as partial:
            table.to_csv(partial, index=False, float_format="%.6g")
    return result


def summary(by_run: pd.DataFrame, settings: list[str]) -> pd.DataFrame:
    """One row a setting, the best first: the means over splits, of means over rows and folds.

    Args:
        by_run: one row a run; ``settings`` are the columns that tell settings apart.
    """
    measured = ["last", "at_lowest_loss", "training_loss", "validation_loss"]
    by_split = by_run.groupby([*settings, "split"], sort=False)[measured].mean()
    table = by_split.groupby(settings, sort=False).mean()
    wide = by_split[["last", "at_lowest_loss"]].unstack("split")
    for (score, split), column in wide.items():
        table[f"{split}_{score}"] = column
    table["runs"] = by_run.groupby(settings, sort=False).size()
    return table.sort_values(SCORE, ascending=False, kind="stable").reset_index()
