"""Skeleton recognisers in pictures: which letter each takes for which, how they learn, their costs.

Decisions
* One panel a model, in the table's order; letters as in FingerCLIP's confusions, so that the two
  can be laid side by side.
* Curves are the mean over the folds' runs, with the lowest and the highest of them: loss on
  training clips, and R@1 on validation clips.
* Rows of SignCLIP stand beside the models in a column of their own: their loss is another one and
  cannot be compared, their R@1 is of the same validation clips and drawn on the same scale.
* Costs are what the results say, in the columns of ``results/costs/fingerclip.csv``.

Cost: some seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import results
from benchmarks.evaluation.predictions import CLIPS_FILE
from benchmarks.report.figures.drawing import STYLE, save
from benchmarks.report.tables.fingerclip import write_costs
from signclip.core import files, parquet
from signclip.core.errors import RunError
from signclip.experiments.run_folder import CURVES

CONFUSION, LEARNING = "skeletons_confusion", "skeletons_curves"
LOSS, HITS = "loss", "validation_V2T_R@1"  # columns of a run's curves


class Side(NamedTuple):
    """Models that learn by one kind of loss: a column of the curves."""

    title: str
    loss_is: str  # in words
    runs: dict[str, list[Path]]  # model's title -> folders of its folds' runs


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


def learning(sides: Sequence[Side]) -> tuple[Figure, pd.DataFrame]:
    """How models learn.

    Returns:
        the figure; columns model, loss_is, epoch, runs, then mean, low and high of each number
        drawn.
    """
    tables = [
        _by_epoch(folders).assign(model=title, loss_is=side.loss_is)
        for side in sides
        for title, folders in side.runs.items()
    ]
    numbers = pd.concat(tables, ignore_index=True)
    head = ["model", "loss_is", "epoch", "runs"]
    numbers = numbers[[*head, *(name for name in numbers if name not in head)]]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(sides), 6), layout="constrained")
        axes = figure.subplots(2, len(sides), squeeze=False, sharex=True)
        colours = iter(sns.color_palette("tab10", len(tables)))
        for side, (of_loss, of_hits) in zip(sides, axes.T, strict=True):
            for title, table in numbers.groupby("model", sort=False):
                if title in side.runs:
                    colour = next(colours)
                    _draw(of_loss, table, LOSS, colour, title)
                    _draw(of_hits, table, HITS, colour, title)
                elif HITS in table:
                    of_hits.plot(table["epoch"], table[HITS], color="0.7", lw=0.8, zorder=1)
            of_loss.set_title(f"{side.title}: loss on training clips\n({side.loss_is})", loc="left")
            of_loss.set_ylim(bottom=0)
            of_loss.legend(frameon=False, loc="upper right")
            others = "\n(grey: means of the others)" if len(sides) > 1 else ""
            of_hits.set_title(f"{side.title}: R@1 on validation clips{others}", loc="left")
            of_hits.set_xlabel("epoch")
            if f"{HITS}_high" in numbers:  # one scale, so that columns can be compared
                of_hits.set_ylim(0, 1.05 * numbers[f"{HITS}_high"].max())
        for axis in axes.flat:
            axis.grid(alpha=0.3)
    return figure, numbers


def _by_epoch(folders: Sequence[Path]) -> pd.DataFrame:
    """Runs, and mean, low and high of each number drawn, where they are measured."""
    rows = pd.concat([pd.read_csv(folder / CURVES) for folder in folders], ignore_index=True)
    by_epoch = rows.groupby("epoch")
    table = pd.DataFrame({"runs": by_epoch.size()})
    for name in (LOSS, HITS):
        if name in rows:  # without validation clips there are no hits
            for suffix, value in (("", "mean"), ("_low", "min"), ("_high", "max")):
                table[name + suffix] = by_epoch[name].agg(value)
    return table.reset_index()


def _draw(axis: Axes, table: pd.DataFrame, name: str, colour: tuple, title: str) -> None:
    if name in table:
        axis.plot(table["epoch"], table[name], color=colour, label=title)
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        axis.fill_between(table["epoch"], low, high, color=colour, alpha=0.15, lw=0)


def write(
    names: Sequence[str],
    *,
    beside: Sequence[str] = (),
    profile: str,
    corpus: str,
    split: str,
    seed: int,
    predictions: Path,
    runs: Path,
    results_folder: Path,
) -> None:
    """Write both figures below ``figures/`` and ``costs/skeletons.csv``.

    Args:
        names: of skeleton models.
        beside: rows of SignCLIP whose curves are drawn, too.

    Raises:
        RunError: a model or a row has no runs.
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
    titles = {result.title: result.encoder for result in found}
    sides = [
        Side(
            title,
            loss_is,
            {name: sorted((runs / of / str(seed)).glob(f"{split}*")) for name, of in named.items()},
        )
        for title, loss_is, named in (
            ("skeleton models", "cross-entropy, streams added up", titles),
            ("rows of SignCLIP", "contrastive: another scale", {name: name for name in beside}),
        )
        if named
    ]
    for side in sides:
        for name, there in side.runs.items():
            if not there:
                raise RunError(f"{name} has no runs on {split} with seed {seed}; train it first")
    out = results_folder / "figures"
    with files.writing(out / "skeletons"):
        given = {result.title: predictions / result.encoder / split for result in found}
        save(*confusions(given), out, CONFUSION)
        save(*learning(sides), out, LEARNING)
        write_costs(results_folder, "skeletons", found)
