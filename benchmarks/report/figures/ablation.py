"""What each change is worth: a forest plot of paired differences, with the numbers beside it.

Decisions
* Three panels, one question each: the paper's rows against E5, the rows beyond it against E7.2
  (both on ``in_domain``, where all are measured), and row X against E7.2 and the floor on every
  split; the floor among labels alone, since among pairs it is 0 by construction. A dot
  is the difference of V2T R@1, the line its 95 % paired bootstrap interval.
* Measurements over several seeds are drawn in place of the pipeline's where all rows that a panel
  draws of a split have them, on the same clips; the panel's title says how many seeds.
* Galleries and opponents differ in colour (Okabe and Ito's, told apart by the colour-blind) and in
  the marker's form.

Cost: 5 s, for the resampling.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import results, suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.metrics.compare import compare
from benchmarks.report.figures.drawing import STYLE, save
from benchmarks.report.tables import beyond
from benchmarks.report.tables.beyond import BASE, FLOOR, METRIC, PLACES, Ours, Place
from signclip.core import files

NAME = "ablation"
PAPERS_BASE, BEST = "E5", "X"
BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "black"
GALLERY_STYLES = {
    "labels": (BLUE, "o", "among labels"),
    "tagged": (ORANGE, "s", "among (language, label) prompts"),
}
OPPONENT_STYLES = {BASE: (BLACK, "D", f"against {BASE}"), FLOOR: (GREEN, "^", "against 1-NN")}
HYPHEN = "\u2010"  # mathtext would make a minus of the keyboard's
IN_DOMAIN = tuple(place for place in PLACES if place.split == suites.IN_DOMAIN)
COLUMNS = [
    "panel",
    "id",
    "row",
    "split",
    "gallery",
    "against",
    "seeds",
    "difference",
    "low",
    "high",
]


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


def differences(papers: Ours, beyond: Ours, full: Ours) -> pd.DataFrame:
    """All differences that are drawn; a side that is not measured makes none.

    Args:
        papers: results of the paper's rows.
        beyond: of the rows beyond, of E7.2 and of the floor.
        full: the same over several seeds, as far as they are there.

    Returns:
        the columns of :class:`Line`; panels paper, beyond and best.
    """
    asked = [
        *(("paper", name, PAPERS_BASE, p) for p in IN_DOMAIN for name in papers_rows()),
        *(("beyond", name, BASE, p) for p in IN_DOMAIN for name in suites.expand(["beyond"])),
        *(("best", BEST, against, p) for p in PLACES for against in _opponents(p)),
    ]
    drawn: dict[tuple[str, Place], set[str]] = {}
    for panel, name, against, place in asked:
        drawn.setdefault((panel, place), set()).update((name, against))
    lines = []
    for panel, name, against, place in asked:
        if panel == "paper":
            found = papers.get(place, {})
        else:
            several = full.get(place, {})
            found = several if several.keys() >= drawn[panel, place] else beyond.get(place, {})
        if name in found and against in found:
            one = found[name]
            lines.append(
                Line(
                    panel,
                    name,
                    one.title,
                    place.split,
                    place.title.split(", ")[1],
                    against,
                    " ".join(map(str, one.seeds)),
                    *compare(one, found[against], METRIC),
                )
            )
    return pd.DataFrame(lines, columns=COLUMNS)


def _opponents(place: Place) -> tuple[str, ...]:
    return (BASE, FLOOR) if place.task == RETRIEVAL else (BASE,)


def papers_rows() -> list[str]:
    """The paper's rows but the one that they are compared with."""
    return [name for name in suites.expand(["pretraining", "tested"]) if name != PAPERS_BASE]


def draw(numbers: pd.DataFrame, corpus: str) -> Figure:
    """The three panels."""
    with mpl.rc_context(STYLE | {"font.size": 8, "axes.titlesize": 8.5}):
        figure = Figure(figsize=(7.2, 8.6), layout="constrained")
        parts = figure.subplot_mosaic(
            [["paper", "beyond"], ["paper", "best"]], height_ratios=[3.6, 1]
        )
        of = {name: numbers[numbers["panel"] == name] for name in parts}
        _panel(
            parts["paper"],
            of["paper"],
            "gallery",
            GALLERY_STYLES,
            _titles(of["paper"], PAPERS_BASE),
        )
        _panel(
            parts["beyond"], of["beyond"], "gallery", GALLERY_STYLES, _titles(of["beyond"], BASE)
        )
        best = of["best"].assign(id=of["best"]["split"] + ", " + of["best"]["gallery"])
        places = {name: name for name in dict.fromkeys(best["id"])}
        _panel(parts["best"], best, "against", OPPONENT_STYLES, places)
        heads = {
            "paper": f"a  Rows of the paper, against {PAPERS_BASE}\n(in_domain",
            "beyond": f"b  Rows beyond the paper, against {BASE}\n(in_domain",
            "best": f"c  Row {BEST}, on every split\n(",
        }
        for name, axes in parts.items():
            axes.set_title(heads[name] + _seeds(of[name], inner=name != "best"), loc="left")
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
    """Row's id -> what stands beside it: the change, without the base that a panel names."""
    shown = {}
    for name, title in lines[["id", "row"]].itertuples(index=False):
        for before in (f"{base} + ", f"{base}, ", f"{base} "):
            title = title.removeprefix(before)
        wrapped = "\n".join(textwrap.wrap(title, 26))
        shown[name] = f"{wrapped}  $\\bf{{{name.replace('-', HYPHEN)}}}$"
    return shown


def _seeds(lines: pd.DataFrame, *, inner: bool) -> str:
    counts = sorted({len(seeds.split()) for seeds in lines["seeds"]})
    said = " to ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")
    return f"{', ' if inner else ''}{said})"


def _panel(
    axes: Axes,
    lines: pd.DataFrame,
    kind: str,
    styles: Mapping[str, tuple[str, str, str]],
    titles: Mapping[str, str],
) -> None:
    """One row a title, its kinds one below the other."""
    place_of = {name: place for place, name in enumerate(titles)}
    axes.axvline(0, color="0.4", linewidth=0.8, zorder=1)
    shown = [name for name in styles if (lines[kind] == name).any()]
    for place, name in enumerate(shown):
        colour, marker, _ = styles[name]
        these = lines[lines[kind] == name]
        heights = [place_of[i] + 0.26 * (place - (len(shown) - 1) / 2) for i in these["id"]]
        errors = [these["difference"] - these["low"], these["high"] - these["difference"]]
        axes.errorbar(
            these["difference"],
            heights,
            xerr=errors,
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


def write(*, revision: str, corpus: str, results_folder: Path) -> pd.DataFrame:
    """Write ``figures/ablation.{pdf,png,csv}``; returns the plotted numbers.

    Raises:
        ConfigError: a result that the pipeline makes is missing, or one is invalid.
    """
    board = results_folder / "leaderboard"
    ours = beyond.read(board, revision, corpus, expected=True)
    more = beyond.read(board, revision + beyond.FULL, corpus, expected=False)
    full, _ = beyond.of_same_clips(ours, more)
    names = [PAPERS_BASE, *papers_rows()]
    papers = {
        place: {
            name: results.read(
                results.path_of(board, name, revision, place.task, corpus, place.split)
            )
            for name in names
        }
        for place in IN_DOMAIN
    }
    numbers = differences(papers, ours, full)
    out = results_folder / "figures"
    with files.writing(out / NAME):
        save(draw(numbers, corpus), numbers, out, NAME)
    return numbers
