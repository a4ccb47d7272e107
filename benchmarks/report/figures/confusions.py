"""Which letter is taken for which: FingerCLIP's best row, X and the best skeleton model.

Decisions
* One heat map each on the split ``letters``, over all folds: rows are signed letters, columns
  predicted ones, the colour the share of the signed letter's clips.
* The fourth panel lists the :data:`PAIRS` most frequent confusions, by the clips of all three
  encoders together, and how many clips each of them confuses.

Cost: a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report import families
from benchmarks.report.drawing import (
    FAINT,
    PAGE_WIDTH,
    Drawing,
    Figure,
    confusion_rows,
    confusions,
    panel_title,
    read_clips,
)
from benchmarks.report.tables.beyond import BEST
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source

SPLIT = suites.LETTERS
PAIRS = 15
FAMILIES = (families.FINGERCLIP, families.BEYOND, families.SKELETONS)


def chosen(source: Source) -> dict[families.Family, Result]:
    """Family -> the encoder that is shown of it, of those that were measured."""
    found = {}
    for family in FAMILIES:
        results = families.select(source, family, SPLIT, RETRIEVAL)
        name = BEST if family is families.BEYOND else families.best(results)
        if name in results:
            found[family] = results[name]
    return found


def plot(
    counts_of: Mapping[families.Family, pd.DataFrame],
    numbers: pd.DataFrame,
    shown: Mapping[families.Family, Result],
) -> matplotlib.figure.Figure:
    """A heat map per encoder, and the most frequent confusions."""
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 6.9), layout="constrained")
    *maps, pairs = figure.subplots(2, 2).ravel()
    for axes in maps[len(counts_of) :]:
        axes.set_axis_off()
    used = maps[: len(counts_of)]
    for letter, axes, (family, counts) in zip("abc", used, counts_of.items(), strict=False):
        image = _map(axes, counts)
        hits, clips = int(np.trace(counts)), int(counts.to_numpy().sum())
        title = families.short_title(shown[family])
        panel_title(axes, letter, f"{title}: {hits} of {clips} clips correct")
    figure.colorbar(
        image,
        ax=used,
        location="bottom",
        label="share of the signed letter's clips",
        aspect=50,
        shrink=0.5,
        pad=0.01,
    )
    _pairs(pairs, numbers, shown)
    panel_title(pairs, "abcd"[len(counts_of)], "The most frequent confusions (signed as predicted)")
    return figure


def _map(axes: Axes, counts: pd.DataFrame) -> QuadMesh:
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    letters = [letter.upper() for letter in counts.index]
    image = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolor=FAINT, linewidth=0.2)
    places = np.arange(len(letters)) + 0.5
    axes.set_xticks(places, letters)
    axes.set_yticks(places, letters)
    axes.set_ylim(len(letters), 0)
    axes.set_aspect("equal")
    axes.tick_params(length=0, pad=2)
    axes.set_xlabel("predicted letter")
    axes.set_ylabel("signed letter")
    return image


def frequent(numbers: pd.DataFrame) -> pd.DataFrame:
    """The most frequent confusions: index (label, predicted), one column of clips per encoder."""
    wrong = numbers[numbers["label"] != numbers["predicted"]]
    table = wrong.pivot_table(
        index=["label", "predicted"], columns="encoder", values="clips", fill_value=0, sort=False
    )
    order = table.assign(total=table.sum(axis=1)).sort_values(
        ["total", "label", "predicted"], ascending=[False, True, True]
    )
    return table.loc[order.index[:PAIRS]]


def _names(table: pd.DataFrame) -> list[str]:
    return [f"{label.upper()} as {predicted.upper()}" for label, predicted in table.index]


def _pairs(
    axes: Axes,
    numbers: pd.DataFrame,
    shown: Mapping[families.Family, Result],
) -> None:
    table = frequent(numbers)
    heights = range(len(table))
    axes.hlines(heights, 0, table.max(axis=1), color=FAINT, linewidth=0.8, zorder=0)
    for number, (family, result) in enumerate(shown.items()):
        shift = 0.27 * (number - (len(shown) - 1) / 2)
        axes.plot(
            table[result.encoder],
            [height + shift for height in heights],
            linestyle="none",
            marker=family.marker,
            color=family.colour,
            label=families.short_title(result),
            clip_on=False,
            zorder=3,
        )
    axes.set_yticks(heights, _names(table))
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("clips")
    axes.legend(loc="lower right")


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: none of the encoders was evaluated.
    """
    shown = chosen(source)
    if not shown:
        raise NoResults("no results on letters; `make repro` makes them")
    counts_of, tables = {}, []
    for family, result in shown.items():
        counts, shares = confusions(read_clips(source, result.encoder, SPLIT))
        counts_of[family] = counts
        tables.append(confusion_rows(counts, shares).assign(encoder=result.encoder))
    numbers = pd.concat(tables, ignore_index=True)
    numbers = numbers[["encoder", "label", "predicted", "clips", "share"]]
    words = [
        f"{families.short_title(result)} ({int(np.trace(counts_of[family]))} of "
        f"{int(counts_of[family].to_numpy().sum())} clips correct)"
        for family, result in shown.items()
    ]
    pairs = _names(frequent(numbers))
    caption = (
        f"Which letter is taken for which, on the held-out clips of {source.corpus} (split "
        f"letters, all folds): {', '.join(words)}. FingerCLIP's row and the skeleton "
        "model are the best ones by R@1 on these clips. The last panel counts the clips of the "
        + "most frequent confusions"
        + (f", first of all {', '.join(pairs[:3])}." if pairs else ".")
    )
    return Drawing(
        plot(counts_of, numbers, shown),
        numbers,
        list(shown.values()),
        caption,
        points=("predictions",),
    )


FIGURE = Figure(
    "confusions",
    "Which letter is taken for which",
    tuple(Need(SPLIT, RETRIEVAL, (family.suite,)) for family in FAMILIES),
    draw,
)
