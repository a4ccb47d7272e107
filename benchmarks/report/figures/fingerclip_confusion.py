"""FingerCLIP's confusions: which letter is taken for which, over all folds.

Cost: a few seconds.
"""

from __future__ import annotations

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

ENCODER, SPLIT = "E3.2", suites.LETTERS


def plot(counts: pd.DataFrame, shares: pd.DataFrame, encoder: str) -> matplotlib.figure.Figure:
    """A heat map of the shares with the counts as numbers."""
    import seaborn as sns

    letters = [letter.upper() for letter in counts.index]
    hits, clips = int(np.trace(counts.to_numpy())), int(counts.to_numpy().sum())
    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(8, 6.8))
        axes = figure.add_subplot()
        sns.heatmap(
            shares,
            ax=axes,
            cmap="Blues",
            vmin=0,
            vmax=1,
            square=True,
            linewidths=0.3,
            linecolor="0.95",
            annot=counts.astype(str).replace("0", ""),
            fmt="",
            annot_kws={"size": 6},
            cbar_kws={"label": "share of the signed letter's clips", "shrink": 0.8},
            xticklabels=letters,
            yticklabels=letters,
        )
        axes.set(xlabel="prompt that ranks first", ylabel="signed letter")
        axes.tick_params(axis="both", length=0, rotation=0)
        axes.set_title(
            f"{encoder}: for {hits} of {clips} held-out clips the signed letter ranks first "
            f"({hits / clips:.2f}); numbers are clips",
            loc="left",
            fontsize=9,
        )
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    counts, shares = confusions(read_clips(source, ENCODER, SPLIT))
    return Drawing(plot(counts, shares, ENCODER), confusion_rows(counts, shares))


FIGURE = Figure(
    "fingerclip_confusion",
    "FingerCLIP: which letter is taken for which",
    (Need(SPLIT, RETRIEVAL, (ENCODER,)),),
    draw,
)
