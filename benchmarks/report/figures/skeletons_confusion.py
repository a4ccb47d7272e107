"""Confusions of the skeleton models: which letter each takes for which, over all folds.

Decision: one panel per model, in the order of the table, letters as in FingerCLIP's confusions.

Cost: a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report.drawing import (
    STYLE,
    Drawing,
    Figure,
    confusion_rows,
    confusions,
    read_clips,
)
from benchmarks.source import Need, Source

NEED = Need(suites.LETTERS, RETRIEVAL, (suites.SKELETON_SUITE,))

Counts = Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]  # title -> counts, shares


def plot(models: Counts) -> matplotlib.figure.Figure:
    """One heat map per model, two in a row."""
    import seaborn as sns

    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(11, 10), layout="constrained")
        panels = figure.subplots(-(-len(models) // 2), 2, squeeze=False).ravel()
        for axes in panels[len(models) :]:
            axes.set_axis_off()
        for axes, (title, (counts, shares)) in zip(panels, models.items(), strict=False):
            letters = [letter.upper() for letter in counts.index]
            sns.heatmap(
                shares,
                ax=axes,
                cmap="Blues",
                vmin=0,
                vmax=1,
                square=True,
                cbar=False,
                xticklabels=letters,
                yticklabels=letters,
            )
            hits, clips = int(np.trace(counts.to_numpy())), int(counts.to_numpy().sum())
            axes.set_title(f"{title}: {hits} of {clips} held-out clips correct", loc="left")
            axes.set(xlabel="predicted letter", ylabel="signed letter")
            axes.tick_params(axis="both", length=0, rotation=0, labelsize=6)
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    found = {
        result.title: confusions(read_clips(source, name, NEED.split))
        for name, result in source.select(NEED).items()
    }
    numbers = pd.concat(
        [confusion_rows(*one).assign(model=title) for title, one in found.items()],
        ignore_index=True,
    )
    return Drawing(plot(found), numbers[["model", "label", "predicted", "clips", "share"]])


FIGURE = Figure(
    "skeletons_confusion", "Skeleton models: which letter is taken for which", (NEED,), draw
)
