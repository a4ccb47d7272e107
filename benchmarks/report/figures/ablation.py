"""What each change is worth: a forest plot of paired differences.

Decisions
* Three panels, one question each: the paper's rows against E5, the rows beyond it against E7.2
  (both on ``in_domain``, where all are evaluated), and row X against E7.2 and the floor on every
  split; the floor among labels only, since among pairs it is 0 by construction. A dot is the
  difference of V2T R@1, the line its 95 % paired bootstrap interval.
* Measurements over several seeds are drawn instead of the pipeline's where all rows that a panel
  draws on a split have them (:mod:`benchmarks.report.places`); the title of a panel gives the
  seeds.
* Galleries and opponents differ in colour (Okabe and Ito's colour-blind safe palette) and marker.

Cost: 5 s, for the resampling.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes

from benchmarks import suites
from benchmarks.metrics.compare import compare
from benchmarks.report.cells import seeds_of
from benchmarks.report.drawing import STYLE, Drawing, Figure
from benchmarks.report.places import (
    IN_DOMAIN,
    PLACES,
    Found,
    Place,
    at_places,
    several_seeds,
)
from benchmarks.report.tables.beyond import BASE, BEST, FLOOR, METRIC, ROWS
from benchmarks.source import Source

PAPERS_BASE = "E5"
PAPERS_ROWS = ("pretraining", "tested")
BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "black"
GALLERY_STYLES = {
    "labels": (BLUE, "o", "among labels"),
    "tagged": (ORANGE, "s", "among (language, label) prompts"),
}
OPPONENT_STYLES = {BASE: (BLACK, "D", f"against {BASE}"), FLOOR: (GREEN, "^", "against 1-NN")}
HYPHEN = "\u2010"  # mathtext would draw the keyboard's as a minus
TITLE_WIDTH = 26  # characters in a line


class Line(NamedTuple):
    """A point of the plot, a row of the CSV."""

    panel: str
    id: str
    row: str
    split: str
    gallery: str
    against: str
    seeds: str
    difference: float
    low: float
    high: float


def differences(papers: Found, beyond: Found, full: Found) -> pd.DataFrame:
    """All differences that are drawn; a row that is not evaluated has none.

    Args:
        papers: results of the paper's rows.
        beyond: of the rows beyond, of E7.2 and of the floor.
        full: the same over several seeds, as far as there are any.

    Returns:
        the columns of :class:`Line`; panels paper, beyond and best.
    """
    pairs = [
        *(("paper", name, PAPERS_BASE, place) for place in IN_DOMAIN for name in papers_rows()),
        *(
            ("beyond", name, BASE, place)
            for place in IN_DOMAIN
            for name in suites.expand(["beyond"])
        ),
        *(("best", BEST, against, place) for place in PLACES for against in _opponents(place)),
    ]
    drawn: dict[tuple[str, Place], set[str]] = {}
    for panel, name, against, place in pairs:
        drawn.setdefault((panel, place), set()).update((name, against))
    lines = []
    for panel, name, against, place in pairs:
        if panel == "paper":
            found = papers.get(place, {})
        else:
            several = full.get(place, {})
            found = several if several.keys() >= drawn[panel, place] else beyond.get(place, {})
        if name in found and against in found:
            one = found[name]
            difference = compare(one, found[against], METRIC)
            lines.append(Line(panel, name, one.title, *place, against, seeds_of(one), *difference))
    return pd.DataFrame(lines, columns=list(Line._fields))


def _opponents(place: Place) -> tuple[str, ...]:
    return (BASE, FLOOR) if place.gallery == "labels" else (BASE,)


def papers_rows() -> list[str]:
    """The paper's rows except the one with which they are compared."""
    return [name for name in suites.expand(PAPERS_ROWS) if name != PAPERS_BASE]


def plot(numbers: pd.DataFrame, corpus: str) -> matplotlib.figure.Figure:
    """The three panels."""
    with mpl.rc_context(STYLE | {"font.size": 8, "axes.titlesize": 8.5}):
        figure = matplotlib.figure.Figure(figsize=(7.2, 8.6), layout="constrained")
        panels = figure.subplot_mosaic(
            [["paper", "beyond"], ["paper", "best"]], height_ratios=[3.6, 1]
        )
        lines = {name: numbers[numbers["panel"] == name] for name in panels}
        for name, base in (("paper", PAPERS_BASE), ("beyond", BASE)):
            titles = _titles(lines[name], base)
            _panel(panels[name], lines[name], "gallery", GALLERY_STYLES, titles)
        best = lines["best"].assign(id=lines["best"]["split"] + ", " + lines["best"]["gallery"])
        places = {name: name for name in dict.fromkeys(best["id"])}
        _panel(panels["best"], best, "against", OPPONENT_STYLES, places)
        heads = {
            "paper": f"a  Rows of the paper, against {PAPERS_BASE}\n(in_domain, ",
            "beyond": f"b  Rows beyond the paper, against {BASE}\n(in_domain, ",
            "best": f"c  Row {BEST}, on every split\n(",
        }
        for name, axes in panels.items():
            axes.set_title(f"{heads[name]}{_seeds(lines[name])})", loc="left")
            axes.set_xlabel("difference of V2T R@1")
        handles = [
            mpl.lines.Line2D([], [], color=colour, marker=marker, markersize=4, label=label)
            for styles in (GALLERY_STYLES, OPPONENT_STYLES)
            for colour, marker, label in styles.values()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
        figure.suptitle(
            f"Embedded corpus ({corpus}). Lines: 95 % paired bootstrap over clips",
            fontsize=8.5,
            x=0.01,
            ha="left",
        )
    return figure


def _titles(lines: pd.DataFrame, base: str) -> dict[str, str]:
    """Row's id -> its tick label: the change, without the base that the panel names."""
    shown = {}
    for name, title in lines[["id", "row"]].itertuples(index=False):
        for before in (f"{base} + ", f"{base}, ", f"{base} "):
            title = title.removeprefix(before)
        wrapped = "\n".join(textwrap.wrap(title, TITLE_WIDTH))
        shown[name] = f"{wrapped}  $\\bf{{{name.replace('-', HYPHEN)}}}$"
    return shown


def _seeds(lines: pd.DataFrame) -> str:
    counts = sorted({len(seeds.split()) for seeds in lines["seeds"]})
    return " to ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")


def _panel(
    axes: Axes,
    lines: pd.DataFrame,
    kind: str,
    styles: Mapping[str, tuple[str, str, str]],
    titles: Mapping[str, str],
) -> None:
    """One row per title, its kinds one below the other."""
    height_of = {name: height for height, name in enumerate(titles)}
    axes.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    shown = [name for name in styles if (lines[kind] == name).any()]
    for number, name in enumerate(shown):
        colour, marker, _ = styles[name]
        these = lines[lines[kind] == name]
        shift = 0.26 * (number - (len(shown) - 1) / 2)
        axes.errorbar(
            these["difference"],
            [height_of[row] + shift for row in these["id"]],
            xerr=[these["difference"] - these["low"], these["high"] - these["difference"]],
            fmt=marker,
            color=colour,
            markersize=4,
            markeredgewidth=0,
            elinewidth=1.2,
            zorder=2,
        )
    axes.set_yticks(range(len(titles)), list(titles.values()))
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    for height in range(len(titles) - 1):
        axes.axhline(height + 0.5, color="0.94", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def draw(source: Source) -> Drawing:
    """See the module."""
    ours = at_places(source, ROWS)
    full = several_seeds(source, ours, ROWS)
    papers = at_places(source, PAPERS_ROWS, IN_DOMAIN)
    numbers = differences(papers, ours, full.found)
    return Drawing(plot(numbers, source.corpus), numbers)


FIGURE = Figure(
    "ablation",
    "What each change to the recipe is worth",
    (
        *(place.need(*ROWS) for place in PLACES),
        *(place.need(*PAPERS_ROWS) for place in IN_DOMAIN),
    ),
    draw,
)
