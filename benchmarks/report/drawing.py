"""A figure, the look of all figures, and how they are written.

Decisions
* A figure is one module of :mod:`benchmarks.report.figures` with a :class:`Figure` named
  ``FIGURE``. It turns a :class:`~benchmarks.report.source.Source` into a :class:`Drawing`.
* The plotted numbers lie beside each picture as CSV; pictures hold no date and no host.

Cost: a second to import matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure
import pandas as pd

from benchmarks.evaluation.predictions import CLIPS_FILE
from benchmarks.report.page import costs_csv
from benchmarks.report.source import Need, Source
from benchmarks.results import Result
from signclip.core import files, parquet
from signclip.core.errors import ConfigError

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}
METADATA = {"pdf": {"CreationDate": None}, "png": {"Software": None}}


@dataclass(frozen=True)
class Drawing:
    """A picture and the numbers that it shows.

    Attributes:
        costs: name of the costs file of the shown results; empty: none is written.
    """

    figure: matplotlib.figure.Figure
    numbers: pd.DataFrame
    shown: Sequence[Result] = ()
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
    """Write ``<folder>/<figure>.{pdf,png,csv}`` and the costs; returns the paths.

    Raises:
        SignCLIPError: an input that the pipeline makes is missing or invalid.
    """
    drawing = figure.draw(source)
    paths = []
    for suffix, metadata in METADATA.items():
        paths.append(folder / f"{figure.name}.{suffix}")
        with files.atomic_file(paths[-1]) as partial:
            drawing.figure.savefig(
                partial, format=suffix, dpi=200, metadata=metadata, bbox_inches="tight"
            )
    paths.append(folder / f"{figure.name}.csv")
    numbers = drawing.numbers.to_csv(index=False, float_format="%.4f", lineterminator="\n")
    files.write_text(paths[-1], numbers)
    if drawing.costs:
        paths.append(costs / f"{drawing.costs}.csv")
        files.write_text(paths[-1], costs_csv(drawing.shown))
    return paths


def read_clips(source: Source, encoder: str, split: str) -> pd.DataFrame:
    """The predictions of an encoder's test clips.

    Raises:
        ConfigError: there are none.
    """
    path = source.predictions(encoder, split) / CLIPS_FILE
    if not path.is_file():
        raise ConfigError(f"{path}: no predictions; `make repro` makes them")
    return parquet.read(path)


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
