"""Choosing learning rate and epochs on validation clips, and writing down what was tried.

Decision: one grid a recipe (``tuning`` in ``params.yaml``), tried on the named rows and all folds
of a split; the setting with the best mean validation V2T R@1 over rows and folds is what the recipe
in ``params.yaml`` should say. Test clips are not read. Cost: every cell of the grid is a full
training; it is no part of ``make repro``, its outcome is committed
(``results/tuning/<recipe>.csv``).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd

from signclip import checkpoint, config, files, splits
from signclip.errors import ConfigError
from signclip.train import train_all

METRIC = "validation_V2T_R@1"


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
    grids = config.read_yaml(params).get("tuning", {})
    if recipe not in grids:
        raise ConfigError(f"{params}: no tuning grid {recipe!r}; there are {', '.join(grids)}")
    grid = dict(grids[recipe])
    rows, split = grid.pop("rows"), grid.pop("split")
    folds = splits.fold_numbers(splits.read(data / corpus, split))
    table = []
    for values in itertools.product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        name = ",".join(f"{key}={value}" for key, value in setting.items())
        configs = [
            config.resolve(
                experiments,
                params,
                row,
                profile=profile,
                corpus=corpus,
                split=split,
                fold=fold,
                seed=seed,
            ).model_copy(update=setting)
            for row in rows
            for fold in folds
        ]
        paths = train_all(
            configs,
            corpus=data / corpus,
            features=features / corpus,
            runs=runs / name,
            jobs=jobs,
        )
        scores = pd.Series([checkpoint.read_metrics(path)["last"][METRIC] for path in paths])
        by_row = scores.groupby([c.experiment for c in configs]).mean()
        table.append({**setting, "mean": scores.mean(), **by_row, "runs": len(paths)})
    result = pd.DataFrame(table).sort_values("mean", ascending=False, kind="stable")
    with files.atomic_file(out) as partial:
        result.to_csv(partial, index=False, float_format="%.6g")
    return result
