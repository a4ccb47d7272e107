"""Learning curves of the skeleton models, with rows of SignCLIP beside them.

Decisions
* Curves are the mean over the runs of all folds, with the lowest and the highest of them: loss on
  training clips, and V2T R@1 on validation clips.
* Rows of SignCLIP have a column of their own: their loss is a different one and cannot be compared,
  their R@1 is on the same validation clips and drawn on the same scale.
* The costs of the models are written to ``costs/skeletons.csv``.

Cost: a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report.drawing import STYLE, Drawing, Figure
from benchmarks.source import Need, NoResults, Source

MODELS = Need(suites.LETTERS, RETRIEVAL, (suites.SKELETON_SUITE,))
SIGNCLIP_ROWS = Need(suites.LETTERS, RETRIEVAL, ("E3.2", "X"))
LOSS, HITS = "loss", "validation_V2T_R@1"  # columns of a run's curves


class Side(NamedTuple):
    """Models that are trained with one kind of loss: a column of the figure."""

    title: str
    loss: str  # in words
    curves: dict[str, pd.DataFrame]  # model's title -> curves of its folds' runs


def curves(sides: Sequence[Side]) -> pd.DataFrame:
    """The mean, low and high of each number over the runs of a model, by epoch.

    Returns:
        columns model, loss_is, epoch, runs, then of each number its mean, ``_low`` and ``_high``.
    """
    tables = [
        _by_epoch(rows).assign(model=title, loss_is=side.loss)
        for side in sides
        for title, rows in side.curves.items()
    ]
    numbers = pd.concat(tables, ignore_index=True)
    head = ["model", "loss_is", "epoch", "runs"]
    return numbers[[*head, *(name for name in numbers if name not in head)]]


def _by_epoch(rows: pd.DataFrame) -> pd.DataFrame:
    by_epoch = rows.groupby("epoch")
    table = pd.DataFrame({"runs": by_epoch.size()})
    for name in (LOSS, HITS):
        if rows[name].notna().any():  # without validation clips there are no hits
            for suffix, value in (("", "mean"), ("_low", "min"), ("_high", "max")):
                table[name + suffix] = by_epoch[name].agg(value)
    return table.reset_index()


def plot(numbers: pd.DataFrame, sides: Sequence[Side]) -> matplotlib.figure.Figure:
    """Losses above, R@1 below; one column per side."""
    import seaborn as sns

    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(4.6 * len(sides), 6), layout="constrained")
        panels = figure.subplots(2, len(sides), squeeze=False, sharex=True)
        colours = iter(sns.color_palette("tab10", numbers["model"].nunique()))
        for side, (of_loss, of_hits) in zip(sides, panels.T, strict=True):
            for title, table in numbers.groupby("model", sort=False):
                if title in side.curves:
                    colour = next(colours)
                    _draw(of_loss, table, LOSS, colour, title)
                    _draw(of_hits, table, HITS, colour, title)
                elif HITS in table:
                    of_hits.plot(table["epoch"], table[HITS], color="0.7", lw=0.8, zorder=1)
            of_loss.set_title(f"{side.title}: loss on training clips\n({side.loss})", loc="left")
            of_loss.set_ylim(bottom=0)
            of_loss.legend(frameon=False, loc="upper right")
            others = "\n(grey: means of the others)" if len(sides) > 1 else ""
            of_hits.set_title(f"{side.title}: R@1 on validation clips{others}", loc="left")
            of_hits.set_xlabel("epoch")
            if f"{HITS}_high" in numbers:  # one scale, so that columns can be compared
                of_hits.set_ylim(0, 1.05 * numbers[f"{HITS}_high"].max())
        for axes in panels.flat:
            axes.grid(alpha=0.3)
    return figure


def _draw(axes: Axes, table: pd.DataFrame, name: str, colour: tuple, title: str) -> None:
    if name in table:
        axes.plot(table["epoch"], table[name], color=colour, label=title)
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        axes.fill_between(table["epoch"], low, high, color=colour, alpha=0.15, lw=0)


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: there are no curves.
    """
    models = source.select(MODELS)
    points = source.points("curves").query("split == @suites.LETTERS")
    curves_of = dict(list(points.groupby("encoder")))
    sides = [
        Side(
            "skeleton models",
            "cross-entropy, summed over streams",
            {one.title: curves_of[name] for name, one in models.items() if name in curves_of},
        ),
        Side(
            "rows of SignCLIP",
            "contrastive: another scale",
            {name: curves_of[name] for name in SIGNCLIP_ROWS.rows if name in curves_of},
        ),
    ]
    sides = [side for side in sides if side.curves]
    if not sides:
        raise NoResults("no learning curves on letters; `make repro` trains the models")
    numbers = curves(sides)
    return Drawing(
        plot(numbers, sides), numbers, list(models.values()), points=("curves",), costs="skeletons"
    )


FIGURE = Figure(
    "skeletons_curves",
    "Learning curves of skeleton models and SignCLIP",
    (MODELS, SIGNCLIP_ROWS),
    draw,
)
