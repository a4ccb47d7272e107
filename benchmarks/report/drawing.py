"""A figure, the look of all figures, and how they are written.

Decisions
* A figure is one module of :mod:`benchmarks.report.figures` with a :class:`Figure` named
  ``FIGURE``. It turns a :class:`~benchmarks.source.Source` into a :class:`Drawing`.
* The plotted numbers lie beside each picture as CSV, and where they come from as JSON
  (:mod:`benchmarks.report.provenance`); pictures hold no date and no host.
* Where nothing was measured that a figure could show, the picture says so and what makes it.

Cost: a second to import matplotlib.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.figure
import pandas as pd

from benchmarks.report import provenance
from benchmarks.report.page import costs_csv
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source
from signclip.core import files

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}
STYLE |= {"svg.hashsalt": "signclip"}  # ids in the SVG, random otherwise
METADATA = {"pdf": {"CreationDate": None}, "png": {"Software": None}, "svg": {"Date": None}}


@dataclass(frozen=True)
class Drawing:
    """A picture and the numbers that it shows.

    Attributes:
        caption: what the reader sees, on which corpus, and what to make of it; plain text.
        points: names of the points that it is drawn from.
        costs: name of the costs file of the shown results; empty: none is written.
    """

    figure: matplotlib.figure.Figure
    numbers: pd.DataFrame
    shown: Sequence[Result] = ()
    caption: str = ""
    points: Sequence[str] = ()
    costs: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        name: of its module and files.
        title: what it shows.
        needs: the results, with their predictions and runs, that it shows.
        draw: makes the drawing.
    """

    name: str
    title: str
    needs: tuple[Need, ...]
    draw: Callable[[Source], Drawing]


def write(figure: Figure, source: Source, folder: Path, costs: Path) -> list[Path]:
    """Write ``<folder>/<figure>.{pdf,png,svg,csv,json}`` and the costs; returns the paths.

    Raises:
        SignCLIPError: an input is invalid.
    """
    try:
        drawing = figure.draw(source)
    except NoResults as error:
        drawing = nothing_to_draw(str(error))
    paths = []
    with mpl.rc_context(STYLE):
        for suffix, metadata in METADATA.items():
            paths.append(folder / f"{figure.name}.{suffix}")
            with files.atomic_file(paths[-1]) as partial:
                drawing.figure.savefig(
                    partial, format=suffix, dpi=200, metadata=metadata, bbox_inches="tight"
                )
    numbers = drawing.numbers.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    about = provenance.sidecar(
        figure.title,
        f"signbench figure {figure.name}",
        drawing.shown,
        points=drawing.points,
        caption=drawing.caption,
    )
    for suffix, text in (("csv", numbers), ("json", about)):
        paths.append(folder / f"{figure.name}.{suffix}")
        files.write_text(paths[-1], text)
    if drawing.costs:
        paths.append(costs / f"{drawing.costs}.csv")
        files.write_text(paths[-1], costs_csv(drawing.shown))
    return paths


def nothing_to_draw(reason: str) -> Drawing:
    """An empty picture that says why it is empty."""
    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(6, 1))
        text = "\n".join(textwrap.wrap(f"Nothing to show here: {reason}", 80))
        figure.text(0.5, 0.5, text, ha="center", va="center", color="0.4")
    return Drawing(figure, pd.DataFrame({"missing": [reason]}), caption=f"Not drawn: {reason}.")


def read_clips(source: Source, encoder: str, split: str) -> pd.DataFrame:
    """The predictions of an encoder's test clips, from the points.

    Raises:
        NoResults: there are none.
    """
    points = source.points("predictions")
    clips = points[(points["encoder"] == encoder) & (points["split"] == split)]
    if clips.empty:
        raise NoResults(f"{encoder} on {split}: no predictions; `make repro` makes them")
    return clips


def confusions(clips: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts and shares of predicted labels (columns) for each label (rows), letters ascending."""
    letters = sorted(set(clips["label"]) | set(clips["predicted"]))
    counts = pd.crosstab(clips["label"], clips["predicted"]).reindex(
        index=letters, columns=letters, fill_value=0
    )
    return counts, counts.div(counts.sum(axis=1).clip(lower=1), axis=0)


def confusion_rows(counts: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """The counts that are not 0, one row each: label, predicted, clips, share."""
    rows = counts.stack().rename("clips").reset_index()
    rows["share"] = shares.stack().to_numpy()
    return rows[rows["clips"] > 0]
