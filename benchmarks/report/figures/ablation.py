"""What each change is worth: a forest plot of paired differences.

Decisions
* Three panels, one question each: the paper's rows against E5, the rows beyond it against E7.2
  (both on ``in_domain``, where all are evaluated), and row X against E7.2 and the best floor of
  every split and gallery. A dot is the difference of V2T R@1, the line its 95 % paired bootstrap
  interval.
* Rows of the paper and beyond it stand by their mean difference, largest first. Those whose
  intervals include 0 in every gallery are drawn together at the bottom, without a line each: where
  nothing can be told apart, the reader needs to know which rows these are, and no more. The CSV has
  them all.
* Measurements over several seeds are drawn instead of the pipeline's where all rows that a panel
  draws on a split have them (:mod:`benchmarks.report.places`); the title of a panel gives the
  seeds.
* Galleries and opponents differ in colour and marker.

Cost: 5 s, for the resampling.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks import suites
from benchmarks.metrics.compare import compare
from benchmarks.report.cells import seeds_of
from benchmarks.report.drawing import (
    FAINT,
    GREY,
    OKABE_ITO,
    PAGE_WIDTH,
    Drawing,
    Figure,
    panel_title,
)
from benchmarks.report.families import best_floor
from benchmarks.report.places import (
    IN_DOMAIN,
    PLACES,
    Found,
    Place,
    at_places,
    several_seeds,
)
from benchmarks.report.tables.beyond import BASE, BEST, FLOOR, METRIC, ROWS, with_floors
from benchmarks.source import NoResults, Source

PAPERS_BASE = "E5"
PAPERS_ROWS = ("pretraining", "tested")
GALLERY_STYLES = {
    "labels": (OKABE_ITO["blue"], "o", "among labels"),
    "tagged": (OKABE_ITO["vermillion"], "s", "among prompts with the language"),
}
OPPONENT_STYLES = {
    BASE: (OKABE_ITO["black"], "D", f"X minus {BASE}"),
    FLOOR: (OKABE_ITO["green"], "^", "X minus the best floor"),
}
TITLE_WIDTH = 32  # characters in a line
BASES = {"paper": PAPERS_BASE, "beyond": BASE}  # panel -> with what its rows are compared
# inches: a line of a tick label, the space between rows, between the kinds of a row; the least of a
# panel, and what stands around it
LINE_HEIGHT, GAP, SHIFT, MIN_HEIGHT, FRAME = 0.11, 0.06, 0.085, 0.3, 0.45


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
        beyond: of the rows beyond, of E7.2 and of the floors.
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
        *(("best", BEST, against, place) for place in PLACES for against in (BASE, FLOOR)),
    ]
    full = with_floors(full, beyond) if full else full
    drawn: dict[tuple[str, Place], set[str]] = {}
    for panel, name, against, place in pairs:
        drawn.setdefault((panel, place), set()).update({name, against} - {FLOOR})
    lines = []
    for panel, name, against, place in pairs:
        if panel == "paper":
            found = papers.get(place, {})
        else:
            several, here = full.get(place, {}), beyond.get(place, {})
            found = several if several.keys() >= drawn[panel, place] & here.keys() else here
        other = best_floor(found) if against == FLOOR else against
        if name in found and other in found:
            one = found[name]
            difference = compare(one, found[other], METRIC)
            lines.append(Line(panel, name, one.title, *place, against, seeds_of(one), *difference))
    return pd.DataFrame(lines, columns=list(Line._fields))


def papers_rows() -> list[str]:
    """The paper's rows except the one with which they are compared."""
    return [name for name in suites.expand(PAPERS_ROWS) if name != PAPERS_BASE]


class Row(NamedTuple):
    """A row of a panel: its tick label and what is drawn in it."""

    label: str
    lines: pd.DataFrame
    grouped: bool = False

    @property
    def height(self) -> float:
        """Inches."""
        return LINE_HEIGHT * max(self.label.count("\n") + 1, 2) + GAP


def rows_of(lines: pd.DataFrame, base: str) -> list[Row]:
    """The rows of a panel of changes; those without a difference are the last, together."""
    by_id = {str(name): table for name, table in lines.groupby("id", sort=False)}
    differ = {name: table for name, table in by_id.items() if _differs(table).any()}
    order = sorted(differ, key=lambda name: -differ[name]["difference"].mean())
    rows = [Row(_label(name, differ[name]["row"].iloc[0], base), differ[name]) for name in order]
    same = [name for name in by_id if name not in differ]
    if same:
        text = f"no difference detected ({len(same)}): " + ", ".join(same)
        label = "\n".join(textwrap.wrap(text, TITLE_WIDTH, break_on_hyphens=False))
        rows.append(Row(label, lines[lines["id"].isin(same)], grouped=True))
    return rows


def _differs(lines: pd.DataFrame) -> pd.Series:
    return (lines["low"] > 0) | (lines["high"] < 0)


def _label(name: str, title: str, base: str) -> str:
    """A row's tick label: its id and the change, without the base that the panel names."""
    for before in (f"{base} + ", f"{base}, ", f"{base} "):
        title = title.removeprefix(before)
    return "\n".join(textwrap.wrap(f"{name}: {title}", TITLE_WIDTH, break_on_hyphens=False))


def plot(numbers: pd.DataFrame) -> matplotlib.figure.Figure:
    """The three panels: a above c on the left, b on the right."""
    lines = {name: numbers[numbers["panel"] == name] for name in ("paper", "best", "beyond")}
    rows = {name: rows_of(lines[name], base) for name, base in BASES.items()}
    rows["best"] = [
        Row(f"{split},\n{GALLERY_STYLES[str(gallery)][2]}", table)
        for (split, gallery), table in lines["best"].groupby(["split", "gallery"], sort=False)
    ]
    inches = {name: max(sum(row.height for row in of), MIN_HEIGHT) for name, of in rows.items()}
    height = max(inches["paper"] + inches["best"] + FRAME, inches["beyond"]) + 2 * FRAME
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    left, right = figure.subfigures(1, 2)
    above, below = left.subplots(2, 1, height_ratios=[inches["paper"], inches["best"]])
    panels = {"paper": above, "beyond": right.subplots(), "best": below}
    heads = (f"Rows of the paper\nminus {PAPERS_BASE}", f"Rows beyond it\nminus {BASE}")
    heads = dict(zip(panels, (*heads, f"Row {BEST} minus others\non every split"), strict=True))
    for letter, (name, axes) in zip("abc", panels.items(), strict=True):
        styles = OPPONENT_STYLES if name == "best" else GALLERY_STYLES
        _panel(axes, rows[name], "against" if name == "best" else "gallery", styles)
        axes.set_xlabel("difference of V2T R@1")
        panel_title(axes, letter, f"{heads[name]} ({_seeds(lines[name])})")
    handles = [
        Line2D([], [], color=colour, marker=marker, label=label)
        for styles in (GALLERY_STYLES, OPPONENT_STYLES)
        for colour, marker, label in styles.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _seeds(lines: pd.DataFrame) -> str:
    counts = sorted({len(seeds.split()) for seeds in lines["seeds"]})
    return " to ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")


def _panel(
    axes: Axes, rows: list[Row], kind: str, styles: Mapping[str, tuple[str, str, str]]
) -> None:
    """Rows from top to bottom, the kinds of each one below the other; the y-axis is in inches."""
    shown = [name for name in styles if any((row.lines[kind] == name).any() for row in rows)]
    top, middles = 0.0, []
    for row in rows:
        middles.append(top + row.height / 2)
        if row.grouped:
            axes.axhspan(top, top + row.height, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
        elif top:
            axes.axhline(top, color=FAINT, linewidth=0.5, zorder=0)
        for number, name in enumerate(shown):
            colour, marker, _ = styles[name]
            these = row.lines[row.lines[kind] == name]
            height = middles[-1] + SHIFT * (number - (len(shown) - 1) / 2)
            look = dict(marker=marker, color=colour, linestyle="none", zorder=3)
            axes.plot(
                these["difference"],
                [height] * len(these),
                **look,
                alpha=0.5 if row.grouped else 1,
                markersize=2.5 if row.grouped else None,
                markeredgewidth=0,
            )
            if not row.grouped:
                axes.hlines([height] * len(these), these["low"], these["high"], color=colour)
        top += row.height
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    axes.set_yticks(middles, [row.label for row in rows])
    axes.set_ylim(max(top, MIN_HEIGHT), 0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def caption(numbers: pd.DataFrame, corpus: str, found: Found) -> str:
    """What the reader sees, with what the numbers say."""
    clips = {one.n_evaluated for here in found.values() for one in here.values()}
    parts = [
        f"What each change is worth: differences of V2T R@1 on {corpus}, with 95 % bootstrap "
        f"intervals paired by clip ({min(clips)} to {max(clips)} clips), not corrected for the "
        "number of rows. Rows whose intervals all include 0 are drawn together."
    ]
    for letter, panel in zip("ab", BASES, strict=True):
        base, lines = BASES[panel], numbers[numbers["panel"] == panel]
        if lines.empty:
            continue
        reached = [
            f"{here[base].scores[METRIC].value:.2f} {GALLERY_STYLES[place.gallery][2]}"
            for place, here in found.items()
            if place in IN_DOMAIN and base in here
        ]
        rows = lines["id"].nunique()
        differ = lines.loc[_differs(lines), "id"].nunique()
        better = lines.loc[lines["low"] > 0, "id"].nunique()
        parts.append(
            f"{letter}: of {rows} rows, {differ} differ from {base} ({' and '.join(reached)}) in "
            f"at least one gallery, {better} of them upwards."
        )
    above = []
    for against, lines in numbers[numbers["panel"] == "best"].groupby("against", sort=False):
        places = [f"{one.split} {one.gallery}" for one in lines.itertuples() if one.low > 0]
        above.append(f"{against} on {', '.join(places) or 'no split'}")
    if above:
        parts.append(f"c: {BEST} is above {', and above '.join(above)}.")
    return " ".join(parts)


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: no two rows that it compares were measured.
    """
    ours = at_places(source, ROWS)
    full = several_seeds(source, ours, ROWS)
    papers = at_places(source, PAPERS_ROWS, IN_DOMAIN)
    numbers = differences(papers, ours, full.found)
    if numbers.empty:
        raise NoResults("no rows to compare; `make repro` trains and evaluates them")
    found = {place: {**here, **papers.get(place, {})} for place, here in ours.items()}
    shown = [one for here in (*found.values(), *full.found.values()) for one in here.values()]
    return Drawing(plot(numbers), numbers, shown, caption(numbers, source.corpus, found))


FIGURE = Figure(
    "ablation",
    "What each change to the recipe is worth",
    (
        *(place.need(*ROWS) for place in PLACES),
        *(place.need(*PAPERS_ROWS) for place in IN_DOMAIN),
    ),
    draw,
)
