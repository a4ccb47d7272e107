"""Learning curves: training against validation loss, and V2T R@1 on validation clips.

Decisions
* Three columns: skeleton models and FingerCLIP on ``letters``, SignCLIP rows on ``in_domain``. A
  curve is the mean over the runs of all folds; bands reach from the lowest to the highest run.
* A loss is divided by its first value of the run, so that rows with other losses, and training and
  validation clips (other batch sizes, no dropout), can share an axis. Where the dashed curve rises
  while the solid one falls, the model over-fits; a dot marks the lowest validation loss.
* Validation clips choose the epoch of no run: the last one is evaluated.
* The costs of the skeleton models are written to ``costs/skeletons.csv``; the runs of all curves
  are named beside the points.

Cost: a few seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report.drawing import (
    GREY,
    OKABE_ITO,
    PAGE_WIDTH,
    Drawing,
    Figure,
    panel_title,
)
from benchmarks.source import Need, NoResults, Source

MODELS = Need(suites.LETTERS, RETRIEVAL, (suites.SKELETON_SUITE,))
LOSS, VALIDATION, HITS = "loss", "validation_loss", "validation_V2T_R@1"  # of a run's curves
RELATIVE = {LOSS: "relative_loss", VALIDATION: "relative_validation_loss"}
COLUMNS = (LOSS, VALIDATION, *RELATIVE.values(), HITS)
COLOURS = [OKABE_ITO[x] for x in ("blue", "vermillion", "green", "orange", "purple", "sky")]


class Column(NamedTuple):
    """A column of the figure: rows on one split."""

    title: str
    split: str
    rows: tuple[str, ...]


PANELS = (
    Column("Skeleton models", suites.LETTERS, MODELS.rows),
    Column("FingerCLIP", suites.LETTERS, ("fingerclip",)),
    Column("SignCLIP", suites.IN_DOMAIN, ("E5", "E7.2", "X4", "X12", "X")),
)


def frame(points: pd.DataFrame) -> pd.DataFrame:
    """Means, lows and highs over the runs of an encoder, by epoch.

    Args:
        points: the points ``curves``.

    Returns:
        columns panel, encoder, title, epoch, runs, then of each of :data:`COLUMNS` its mean,
        ``_low`` and ``_high``.
    """
    tables = []
    for panel in PANELS:
        here = points[points["split"] == panel.split]
        for encoder in suites.expand(panel.rows):
            rows = here[here["encoder"] == encoder]
            if len(rows):
                about = dict(panel=panel.title, encoder=encoder, title=rows["title"].iloc[0])
                tables.append(_by_epoch(rows).assign(**about))
    head = ["panel", "encoder", "title", "epoch", "runs"]
    if not tables:
        return pd.DataFrame(columns=head)
    numbers = pd.concat(tables, ignore_index=True)
    return numbers[[*head, *(name for name in numbers if name not in head)]]


def _by_epoch(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows.groupby("run")[list(RELATIVE)].transform("first")
    rows = rows.assign(**{RELATIVE[name]: rows[name] / first[name] for name in RELATIVE})
    by_epoch = rows.groupby("epoch")
    table = pd.DataFrame({"runs": by_epoch.size()})
    for name in COLUMNS:
        for suffix, value in (("", "mean"), ("_low", "min"), ("_high", "max")):
            table[name + suffix] = by_epoch[name].agg(value)
    return table.reset_index()


def plot(numbers: pd.DataFrame) -> matplotlib.figure.Figure:
    """Losses above, R@1 below; a column for each panel that has curves."""
    panels = [panel for panel in PANELS if (numbers["panel"] == panel.title).any()]
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 4.0), layout="constrained")
    columns = figure.subplots(2, len(panels), squeeze=False, sharex="col").T
    for letter, panel, (losses, hits) in zip("abc", panels, columns, strict=False):
        _column(losses, hits, panel, numbers[numbers["panel"] == panel.title])
        panel_title(losses, letter, f"{panel.title}, {panel.split}")
    columns[0][0].set_ylabel("loss / its first value")
    columns[0][1].set_ylabel("V2T R@1, validation clips")
    handles = [
        Line2D([], [], color=GREY, label="training loss"),
        Line2D([], [], color=GREY, linestyle="--", label="validation loss"),
        Line2D([], [], color=GREY, linestyle="none", marker="o", label="lowest validation loss"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _column(losses: Axes, hits: Axes, panel: Column, numbers: pd.DataFrame) -> None:
    handles = []
    for colour, (encoder, table) in zip(
        COLOURS, numbers.groupby("encoder", sort=False), strict=False
    ):
        epochs, validation = table["epoch"], table[RELATIVE[VALIDATION]]
        losses.plot(epochs, table[RELATIVE[LOSS]], color=colour)
        losses.plot(epochs, validation, color=colour, linestyle="--")
        if validation.notna().any():
            lowest = validation.idxmin()
            losses.plot(epochs[lowest], validation[lowest], "o", color=colour)
        hits.plot(epochs, table[HITS], color=colour)
        hits.fill_between(
            epochs, table[f"{HITS}_low"], table[f"{HITS}_high"], color=colour, alpha=0.12, lw=0
        )
        title = table["title"].iloc[0] if panel.rows == MODELS.rows else encoder
        handles.append(Line2D([], [], color=colour, label=title))
    losses.axhline(1, color=GREY, linewidth=0.5, zorder=0)
    losses.set_ylim(bottom=0)
    hits.set_ylim(bottom=0)
    hits.set_xlabel("epoch")
    for axes in (losses, hits):
        axes.grid(axis="y")
    hits.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=2)


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: there are no curves.
    """
    numbers = frame(source.points("curves"))
    if numbers.empty:
        raise NoResults("no learning curves; `make repro` trains the models")
    shown = list(source.select(MODELS).values())
    return Drawing(
        plot(numbers), numbers, shown, caption(numbers), points=("curves",), costs="skeletons"
    )


def caption(numbers: pd.DataFrame) -> str:
    """What the reader sees, and which rows over-fit."""
    rises, ends = [], []
    for encoder, table in numbers.groupby("encoder", sort=False):
        validation = table[RELATIVE[VALIDATION]].dropna()
        if len(validation):
            ends.append(encoder)
            if validation.iloc[-1] > 1.1 * validation.min():
                rises.append(encoder)
    runs = sorted(set(numbers["runs"]))
    return (
        "Learning curves, means over the runs of all folds "
        f"({' or '.join(map(str, runs))} a row); bands of R@1 reach from the lowest to the "
        "highest run. Above: training (solid) and validation loss (dashed), each divided by its "
        "first value, since the losses of the rows differ. Below: V2T R@1 on validation clips, "
        "among the texts that the row was trained with. At the last epoch the validation loss of "
        f"{len(rises)} of {len(ends)} rows is more than a tenth above its lowest value"
        + (f" ({', '.join(map(str, rises))})." if rises else ".")
    )


FIGURE = Figure("learning_curves", "Learning curves", (MODELS,), draw)
