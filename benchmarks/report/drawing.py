"""A figure, the style of all figures, and how they are written.

Decisions
* A figure is one module of :mod:`benchmarks.report.figures` with a :class:`Figure` named
  ``FIGURE``. It turns a :class:`~benchmarks.source.Source` into a :class:`Drawing`.
* The plotted numbers lie beside each picture as CSV, and where they come from as JSON
  (:mod:`benchmarks.report.provenance`); pictures hold no date and no host.
* Where nothing was measured that a figure could show, the picture says so and what makes it.
* One style: :func:`draw` draws and saves under :data:`STYLE`. A picture is saved at the size it
  was made with (no tight bounding box), so that its fonts are printed at their nominal sizes:
  make it :data:`COLUMN_WIDTH` or :data:`PAGE_WIDTH` inches wide, with ``layout="constrained"``.
* Fonts: DejaVu Sans, which matplotlib contains, so pictures are the same on every machine. PDF
  embeds it as TrueType, with text that can be selected and searched. SVG draws text as paths: a
  browser without the font would put another in its place, with overlaps.
* Colours: Okabe and Ito's palette for categories, ``viridis`` or ``cividis`` for quantities.

Cost: a second to import matplotlib.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes

from benchmarks.report import provenance
from benchmarks.report.page import costs_csv
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source
from signclip.core import files

COLUMN_WIDTH, PAGE_WIDTH = 3.4, 7.0  # inches: a column and the text width of a two-column page
DPI = 300  # of the PNG, and of layers that are rasterised in PDF and SVG

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
INK, GREY, FAINT = "#222222", "#6E6E6E", "#DDDDDD"  # text; secondary text and lines; grids

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titlepad": 4,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "legend.frameon": False,
    "figure.titlesize": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(
        color=[OKABE_ITO[x] for x in ("blue", "vermillion", "green", "orange", "purple", "sky")]
    ),
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "image.cmap": "viridis",
    "savefig.dpi": DPI,
    "savefig.bbox": None,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "signclip",  # ids in the SVG, random otherwise
}
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


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn, before anything is written.

    Attributes:
        pictures: suffix -> the bytes of a picture.
    """

    figure: Figure
    drawing: Drawing
    pictures: Mapping[str, bytes]

    @property
    def made_by(self) -> str:
        """The command that writes it."""
        return f"signbench figure {self.figure.name}"

    def save(self, folder: Path, costs: Path) -> list[Path]:
        """Write ``<folder>/<figure>.{pdf,png,svg,csv,json}`` and the costs; returns the paths."""
        drawing, paths = self.drawing, []
        numbers = drawing.numbers.to_csv(index=False, float_format="%.4f", lineterminator="\n")
        about = provenance.sidecar(
            self.figure.title,
            self.made_by,
            drawing.shown,
            points=drawing.points,
            caption=drawing.caption,
        )
        texts = {"csv": numbers.encode(), "json": about.encode()}
        for suffix, content in {**self.pictures, **texts}.items():
            paths.append(folder / f"{self.figure.name}.{suffix}")
            with files.atomic_file(paths[-1]) as partial:
                partial.write_bytes(content)
        if drawing.costs:
            paths.append(costs / f"{drawing.costs}.csv")
            files.write_text(paths[-1], costs_csv(drawing.shown))
        files.record_digests(paths)
        return paths


def draw(figure: Figure, source: Source) -> Drawn:
    """Draw a figure.

    Raises:
        SignCLIPError: an input is invalid.
    """
    pictures = {}
    with mpl.rc_context(STYLE):
        try:
            drawing = figure.draw(source)
        except NoResults as error:
            drawing = nothing_to_draw(str(error))
        # laid out once; otherwise each format computes it twice
        drawing.figure.draw_without_rendering()
        drawing.figure.set_layout_engine("none")
        for suffix, metadata in METADATA.items():
            picture = BytesIO()
            drawing.figure.savefig(picture, format=suffix, metadata=metadata)
            pictures[suffix] = picture.getvalue()
    return Drawn(figure, drawing, pictures)


def write(figure: Figure, source: Source, folder: Path, costs: Path) -> list[Path]:
    """Draw a figure and write its files and costs; returns the paths. See :func:`draw`."""
    return draw(figure, source).save(folder, costs)


def nothing_to_draw(reason: str) -> Drawing:
    """An empty picture that says why it is empty."""
    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 1))
        text = "\n".join(textwrap.wrap(f"Nothing to show here: {reason}", 90))
        figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return Drawing(figure, pd.DataFrame({"missing": [reason]}), caption=f"Not drawn: {reason}.")


def panel_title(axes: Axes, letter: str, text: str) -> None:
    """Title of a panel at its left edge: a bold letter, then what the reader sees."""
    axes.set_title(f"$\\mathbf{{{letter}}}$  {text}", loc="left")


def records(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table as named tuples; a type checker cannot know their fields."""
    return iter(table.itertuples())


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
    rows = pd.Series(counts.stack(), name="clips").reset_index()
    rows["share"] = shares.stack().to_numpy()
    return rows[rows["clips"] > 0]
