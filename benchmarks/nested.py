"""What a choice over all folds is worth: a nested choice of hyperparameters beside it.

Decisions
* A grid's setting is chosen over the validation clips of all folds, which are test clips of other
  folds. The nested choice takes, for each fold, the setting with the best validation R@1 on that
  fold alone, whose validation clips are none of its test clips and were not seen in training.
* Both choices are measured on the same test clips, with the runs of ``signbench tune``. The paired
  difference says how much the shared clips are worth, and the noise of choosing on one fold.
* Test clips are scored for the chosen settings only.

Cost: evaluating one to six runs a fold, seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from benchmarks.metrics import ties
from benchmarks.metrics.intervals import PairedDifference, paired_bootstrap
from benchmarks.results import LOCAL
from benchmarks.tune import FOLDS_FILE, SCORE, nested_setting
from signclip.core import files
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.experiments.table import experiments_path

PROFILE = "cpu"  # grids are tried in this profile
RUN = "run"  # column with a trial's path: <setting>/<row>/<seed>/<split>[-<fold>]


def choices(by_run: pd.DataFrame) -> pd.DataFrame:
    """The chosen settings of one row and split.

    Args:
        by_run: one row a run: fold, run, and the score on the fold's validation clips.

    Returns:
        one row a fold: fold, nested, shared; the last two name a setting.
    """
    by_run = by_run.assign(setting=by_run[RUN].map(lambda run: Path(run).parts[0]))
    means = by_run.groupby("setting", sort=False)[SCORE].mean()
    best = by_run.loc[by_run.groupby("fold")[SCORE].idxmax()]
    return (
        best[["fold", "setting"]]
        .rename(columns={"setting": "nested"})
        .assign(shared=means.idxmax())
    )


class Trials(NamedTuple):
    """The runs of a grid on one row and split.

    Attributes:
        values: setting -> its values, nested as in ``params.yaml``.
    """

    recipe: str
    row: str
    split: str
    corpus: str
    values: Mapping[str, Mapping[str, Any]]


def params_of(trials: Trials, setting: str, workspace: Workspace) -> dict[str, Any]:
    """``params.yaml`` with the recipe as one setting has it, so that its runs are accepted."""
    params = read_yaml(workspace.params)
    recipe = params["profiles"][PROFILE][trials.recipe]
    for name, value in trials.values[setting].items():
        recipe[name] = {**recipe[name], **value} if isinstance(value, Mapping) else value
    return params


def hits(trials: Trials, setting: str, workspace: Workspace) -> pd.Series:
    """Whether the text of each test clip ranks first, with one setting's runs; by fold and clip.

    A clip whose text ties for the first rank is a hit with its probability in a random order.

    Raises:
        SignCLIPError: a run is missing or damaged.
    """
    from benchmarks.evaluation.context import open_context
    from benchmarks.evaluation.galleries import RETRIEVAL
    from benchmarks.runner import run_tasks

    with tempfile.TemporaryDirectory() as scratch:
        params = Path(scratch, "params.yaml")
        params.write_text(yaml.safe_dump(params_of(trials, setting, workspace)), encoding="utf-8")
        inside = workspace.replace(
            runs=workspace.runs / setting,
            predictions=Path(scratch, "predictions"),
            results=Path(scratch, "results"),
            embeddings=Path(scratch, "embeddings"),
            params=params,
            experiments=experiments_path(workspace),
        )
        where = dict(profile=PROFILE, corpus=trials.corpus, split=trials.split, seeds=[0])
        context = open_context(trials.row, inside, **where).named(group=LOCAL, revision=None)
        fold_of = {clip: fold.number for fold in context.folds for clip in fold.test}
        ranks = run_tasks(context, [RETRIEVAL])[RETRIEVAL].ranks
    shares = ties.recall_of_clips(ranks, 1)
    found = {(fold_of[clip], clip): hit for clip, hit in zip(ranks, shares, strict=True)}
    return pd.Series(found, dtype=float)


def compare(recipe: str, workspace: Workspace, *, corpus: str, split: str) -> pd.DataFrame:
    """Measure the nested and the shared choice of a grid; written to ``<recipe>-nested.csv``.

    Args:
        workspace: ``runs`` is the folder of the grid's runs.

    Returns:
        one row an experiment: test R@1 of both choices, their paired difference with its 95 %
        interval, and the settings chosen fold by fold.

    Raises:
        ConfigError: the grid was not tried, or not on this split.
    """
    path = workspace.results / "tuning" / FOLDS_FILE.format(recipe)
    if not path.is_file():
        raise ConfigError(f"{path}: not here; `signbench tune {recipe}` writes it")
    by_run = pd.read_csv(path)
    by_run = by_run[by_run["split"] == split]
    if by_run.empty:
        raise ConfigError(f"{path}: no run on {split}")
    names = list(by_run.columns[: by_run.columns.get_loc("row")])
    of_setting = by_run.assign(setting=by_run[RUN].map(lambda run: Path(run).parts[0]))
    values = {
        str(one["setting"]): nested_setting({name: one[name] for name in names})
        for one in of_setting.drop_duplicates("setting").to_dict("records")
    }
    lines = []
    for row, of_row in by_run.groupby("row", sort=False):
        trials = Trials(recipe, str(row), split, corpus, values)
        chosen = choices(of_row)
        measured = {
            setting: hits(trials, setting, workspace)
            for setting in {*chosen["nested"], *chosen["shared"]}
        }
        sides = {
            side: pd.concat(
                [
                    measured[setting].loc[[fold]]
                    for fold, setting in zip(chosen["fold"], chosen[side], strict=True)
                ]
            )
            for side in ("nested", "shared")
        }
        found: PairedDifference = paired_bootstrap(sides["nested"], sides["shared"])
        lines.append(
            {
                "row": row,
                "split": split,
                "clips": len(sides["nested"]),
                "shared_R@1": sides["shared"].mean(),
                "nested_R@1": sides["nested"].mean(),
                "nested_minus_shared": found.difference,
                "low": found.low,
                "high": found.high,
                "shared_setting": chosen["shared"].iloc[0],
                "nested_settings": "; ".join(chosen["nested"]),
            }
        )
    table = pd.DataFrame(lines)
    with files.atomic_file(path.with_name(f"{recipe}-nested.csv")) as partial:
        table.to_csv(partial, index=False, float_format="%.4f")
    return table
