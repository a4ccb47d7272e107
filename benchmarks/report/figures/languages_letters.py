"""Which letters of which sign languages are recognised: a map of hits on the split ``letters``.

Decisions
* One encoder, :data:`ENCODER`. A cell is a letter of a sign language, its colour the share of its
  test clips whose text ranks first (one clip each in the embedded corpus). A cell with a miss names
  the letter that was predicted, the most frequent one if there are several.
* Sign languages stand by their share of hits, highest first; letters in alphabetical order. Bars
  show the shares of rows and columns, with 95 % Wilson intervals, which hold for few clips, too.

Cost: a second.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report.drawing import (
    GREY,
    INK,
    OKABE_ITO,
    PAGE_WIDTH,
    Drawing,
    Figure,
    read_clips,
)
from benchmarks.report.figures.language_distribution import readable
from benchmarks.source import Need, Source

ENCODER, SPLIT = "X", suites.LETTERS
HIT, MISS = OKABE_ITO["sky"], "#F4EFE6"
Z = 1.959964  # of a 95 % interval
CELL = 0.2  # inches


def frame(clips: pd.DataFrame, languages: pd.DataFrame) -> pd.DataFrame:
    """One row per sign language and letter.

    Args:
        clips: predictions of an encoder: id, label, predicted, and the columns of its ranks.
        languages: the corpus' clips: id, sign_language.

    Returns:
        columns sign_language, label, clips, hits, predicted (of the misses; empty: there are none).
    """
    of_clip = languages.set_index("id")["sign_language"]
    clips = clips.assign(sign_language=clips["id"].map(of_clip), hit=clips["rank"] == 1)
    # of tied texts the first is the prediction; so a tie is a hit only if the clip's own is it
    clips["hit"] &= clips["predicted"] == clips["label"]
    cells = clips.groupby(["sign_language", "label"])
    table = cells["hit"].agg(clips="size", hits="sum")
    missed = clips[~clips["hit"]].groupby(["sign_language", "label"])["predicted"]
    table["predicted"] = missed.agg(lambda column: column.mode().iloc[0])
    return table.reset_index().fillna({"predicted": ""})


def shares(cells: pd.DataFrame, by: str) -> pd.DataFrame:
    """Hits by sign language or label, with Wilson intervals: clips, hits, share, low, high."""
    table = cells.groupby(by)[["clips", "hits"]].sum()
    n = table["clips"]
    table["share"] = p = table["hits"] / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    low, high = np.minimum(middle - half, p), np.maximum(middle + half, p)  # against rounding
    return table.assign(low=low, high=high)


def plot(cells: pd.DataFrame) -> matplotlib.figure.Figure:
    """The map, with bars above (letters) and to its right (sign languages)."""
    letters = shares(cells, "label")
    languages = shares(cells, "sign_language").sort_values("share", ascending=False, kind="stable")
    share = (cells["hits"] / cells["clips"]).rename("share")
    grid = cells.assign(share=share).pivot(index="sign_language", columns="label", values="share")
    grid = grid.reindex(index=languages.index, columns=letters.index)
    figure = matplotlib.figure.Figure(
        figsize=(PAGE_WIDTH, CELL * len(languages) + 1.35), layout="constrained"
    )
    panels = figure.subplots(
        *(2, 2),
        sharex="col",
        sharey="row",
        width_ratios=[6, 1],
        height_ratios=[0.7, CELL * len(languages)],
    )
    (top, corner), (middle, right) = panels
    corner.set_axis_off()
    colours = LinearSegmentedColormap.from_list("hits", [MISS, HIT])
    middle.pcolormesh(grid, cmap=colours, vmin=0, vmax=1, edgecolor="white", linewidth=0.6)
    row_of = {name: row for row, name in enumerate(grid.index)}
    column_of = {name: column for column, name in enumerate(grid.columns)}
    for cell in cells[cells["predicted"] != ""].itertuples():
        middle.text(
            column_of[cell.label] + 0.5,
            row_of[cell.sign_language] + 0.5,
            str(cell.predicted).upper(),
            ha="center",
            va="center_baseline",
            fontsize=6.5,
            color=INK,
        )
    middle.set_yticks(np.arange(len(row_of)) + 0.5, [readable(name) for name in row_of])
    middle.set_xticks(np.arange(len(column_of)) + 0.5, [name.upper() for name in column_of])
    middle.set_ylim(len(row_of), 0)
    middle.set_xlabel(
        "signed letter (blue: it ranks first; a letter: this one ranks first instead)"
    )
    middle.set_ylabel("sign language")
    for axes, table, bars in ((top, letters, "bar"), (right, languages, "barh")):
        places = np.arange(len(table)) + 0.5
        getattr(axes, bars)(places, table["share"], 0.8, color=HIT)
        error = [table["share"] - table["low"], table["high"] - table["share"]]
        x, y = (places, table["share"]) if axes is top else (table["share"], places)
        key = "yerr" if axes is top else "xerr"
        axes.errorbar(x, y, **{key: error}, fmt="none", ecolor=GREY, elinewidth=0.7)
    top.set_ylim(0, 1)
    top.set_ylabel("V2T R@1")
    right.set_xlim(0, 1)
    right.set_xlabel("V2T R@1")
    for axes in (middle, right, top):
        axes.tick_params(axis="y" if axes is not top else "x", length=0)
    middle.tick_params(length=0)
    for side in ("left", "bottom"):
        middle.spines[side].set_visible(False)
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    cells = frame(read_clips(source, ENCODER, SPLIT), source.points("clips"))
    clips, hits = cells["clips"].sum(), cells["hits"].sum()
    letters, languages = shares(cells, "label"), shares(cells, "sign_language")

    def ends(table: pd.DataFrame) -> str:
        low, high = table["share"].idxmin(), table["share"].idxmax()
        return f"from {table['share'].min():.2f} ({low}) to {table['share'].max():.2f} ({high})"

    caption = (
        f"Held-out clips of {source.corpus} by sign language and signed letter: blue where "
        f"{ENCODER} ranks the signed letter first ({hits} of {clips} clips), else the letter that "
        "it predicts; white: the alphabet has no such clip. Bars: V2T R@1 with 95 % Wilson "
        f"intervals, by letter {ends(letters.rename(index=str.upper))}, by sign language "
        f"{ends(languages.rename(index=readable))}."
    )
    shown = list(source.select(NEED).values())
    return Drawing(plot(cells), cells, shown, caption, points=("predictions", "clips"))


NEED = Need(SPLIT, RETRIEVAL, (ENCODER,))
FIGURE = Figure(
    "languages_letters", "Which letters of which sign languages are recognised", (NEED,), draw
)
