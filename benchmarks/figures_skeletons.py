"""Skeleton recognisers in pictures: which letter each takes for which, how they learn, their costs.

Decisions
* One panel a model, in the table's order; letters as in FingerCLIP's confusions, so that the two
  can be laid side by side.
* Curves are the mean over the folds' runs, with the lowest and the highest of them: loss on
  training clips, and R@1 on validation clips.
* Costs are what the results say, in the columns of ``results/costs/fingerclip.csv``.

Cost: some seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from benchmarks import results
from benchmarks.figures import STYLE, save
from benchmarks.predictions import CLIPS_FILE
from benchmarks.tables import write_costs
from signclip import files, parquet
from signclip.curves import CURVES
from signclip.errors import RunError

CONFUSION, LEARNING = "skeletons_confusion", "skeletons_curves"
_DRAWN = {
    "loss": "loss on training clips, streams added up",
    "validation_V2T_R@1": "R@1 on validation clips",
}


def confusions(predictions: dict[str, Path]) -> tuple[Figure, pd.DataFrame]:
    """Counts of (signed, answered) over all folds.

    Args:
        predictions: title -> folder of a model's predictions.

    Returns:
        the figure; columns model, label, predicted, clips, share (of the signed letter's clips).
    """
    tables = []
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 10), layout="constrained")
        axes = figure.subplots(-(-len(predictions) // 2), 2, squeeze=False).ravel()
        for axis in axes[len(predictions) :]:
            axis.set_axis_off()
        for axis, (title, folder) in zip(axes, predictions.items(), strict=False):
            clips = parquet.read(folder / CLIPS_FILE)
            letters = sorted(set(clips["label"]) | set(clips["predicted"]))
            counts = pd.crosstab(clips["label"], clips["predicted"]).reindex(
                index=letters, columns=letters, fill_value=0
            )
            shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
            names = [letter.upper() for letter in letters]
            sns.heatmap(
                shares,
                ax=axis,
                cmap="Blues",
                vmin=0,
                vmax=1,
                square=True,
                cbar=False,
                xticklabels=names,
                yticklabels=names,
            )
            right = int(np.trace(counts.to_numpy()))
            axis.set_title(f"{title}: {right} of {len(clips)} held-out clips", loc="left")
            axis.set(xlabel="answer", ylabel="signed letter")
            axis.tick_params(axis="both", length=0, rotation=0, labelsize=6)
            table = counts.stack().rename("clips").reset_index()
            table["share"] = shares.stack().to_numpy()
            tables.append(table[table["clips"] > 0].assign(model=title))
    numbers = pd.concat(tables, ignore_index=True)
    return figure, numbers[["model", "label", "predicted", "clips", "share"]]


def learning(runs: dict[str, Sequence[Path]]) -> tuple[Figure, pd.DataFrame]:
    """How the models learn.

    Args:
        runs: title -> folders of its folds' runs.

    Returns:
        the figure; columns model, epoch, runs, then mean, low and high of each number drawn.
    """
    tables = []
    for title, folders in runs.items():
        rows = pd.concat([pd.read_csv(folder / CURVES) for folder in folders], ignore_index=True)
        drawn = [name for name in _DRAWN if name in rows]
        by_epoch = rows.groupby("epoch")
        table = pd.DataFrame({"model": title, "runs": by_epoch.size()})
        for name in drawn:
            for suffix, value in (("", "mean"), ("_low", "min"), ("_high", "max")):
                table[name + suffix] = by_epoch[name].agg(value)
        tables.append(table.reset_index())
    numbers = pd.concat(tables, ignore_index=True)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axis, (name, what) in zip(figure.subplots(1, 2), _DRAWN.items(), strict=True):
            for title, table in numbers.groupby("model", sort=False):
                if name not in table:
                    continue
                (line,) = axis.plot(table["epoch"], table[name], label=title)
                low, high = table[f"{name}_low"], table[f"{name}_high"]
                axis.fill_between(table["epoch"], low, high, color=line.get_color(), alpha=0.15)
            axis.set_title(what, loc="left")
            axis.set_xlabel("epoch")
            axis.set_ylim(bottom=0)
            axis.grid(alpha=0.3)
        figure.axes[1].legend(frameon=False)
    return figure, numbers


def write(
    names: Sequence[str],
    *,
    profile: str,
    corpus: str,
    split: str,
    seed: int,
    predictions: Path,
    runs: Path,
    results_folder: Path,
) -> None:
    """Write both figures below ``figures/`` and ``costs/skeletons.csv``.

    Raises:
        RunError: a model has no runs.
        ConfigError: a result is missing or invalid.
    """
    found = [
        results.read(
            results.path_of(
                results_folder / "leaderboard", name, profile, "retrieval", corpus, split
            )
        )
        for name in names
    ]
    folders = {
        result.title: sorted((runs / result.encoder / str(seed)).glob(f"{split}*"))
        for result in found
    }
    for title, there in folders.items():
        if not there:
            raise RunError(f"{title} has no runs on {split} with seed {seed}; train it first")
    out = results_folder / "figures"
    with files.writing(out / "skeletons"):
        given = {result.title: predictions / result.encoder / split for result in found}
        save(*confusions(given), out, CONFUSION)
        save(*learning(folders), out, LEARNING)
        write_costs(results_folder, "skeletons", found)
