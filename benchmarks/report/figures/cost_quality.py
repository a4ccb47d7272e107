"""What quality costs: parameters and training time against V2T R@1 of all encoders on ``letters``.

Decisions
* Every encoder that was evaluated on the split, coloured by family; parameters and seconds are
  those of its result (seconds are summed over folds). Encoders without parameters stand at the left
  edge of the first panel.
* Seconds depend on the machine and its load. Results of other hardware than most of the
  pipeline's have open markers, and the caption names both. Since seconds differ from run to run,
  so does this figure; no other figure plots any.
* Named are the best encoder of each family and those that no cheaper one beats (the Pareto front).
  A name stands where it covers neither markers nor other names.

Cost: a second or two, for placing names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report import families
from benchmarks.report.drawing import FAINT, GREY, PAGE_WIDTH, Drawing, Figure, panel_title
from benchmarks.report.families import FAMILIES, METRIC
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source

SPLIT = suites.LETTERS
PANELS = {"parameters": "parameters", "seconds": "training time, all folds [s]"}
NONE = 1 / 2.5  # where encoders without parameters stand, as a share of the fewest parameters
REACH = 5, 14, 20, 28, 38  # points: how far a name may stand from its marker
DIRECTIONS = [(1, 0), (-1, 0), (-1, 0.5), (1, 0.5), (-1, -0.5), (1, -0.5), (0, 1), (0, -1)]
MARKER = 3.5  # points
LEADER = dict(arrowstyle="-", color=GREY, linewidth=0.5, shrinkA=0, shrinkB=2)


def frame(found: Sequence[tuple[families.Family, Result]], usual: str) -> pd.DataFrame:
    """One row per encoder.

    Returns:
        columns family, encoder, title (as the figure names it), parameters, seconds, value, low,
        high, hardware, usual (whether that is the pipeline's), and named_parameters and
        named_seconds: whether a panel names it.
    """
    rows = []
    for family, result in found:
        score, cost = result.scores[METRIC], result.cost
        about = dict(family=family.title, encoder=result.encoder)
        about |= dict(title=families.short_title(result), hardware=result.hardware)
        about |= dict(parameters=cost.parameters, seconds=cost.training_seconds)
        rows.append(about | dict(value=score.value, low=score.low, high=score.high))
    table = pd.DataFrame(rows)
    table["usual"] = table["hardware"] == usual
    best = table.index.isin(table.groupby("family")["value"].idxmax())
    for name in PANELS:
        table[f"named_{name}"] = best | pareto(table[name], table["value"])
    return table


def pareto(cost: pd.Series, value: pd.Series) -> pd.Series:
    """Whether no other encoder is at least as cheap and as good, and better in one of the two."""
    cheaper = (cost.to_numpy() <= cost.to_numpy()[:, None]) & (
        value.to_numpy() >= value.to_numpy()[:, None]
    )
    strictly = (cost.to_numpy() < cost.to_numpy()[:, None]) | (
        value.to_numpy() > value.to_numpy()[:, None]
    )
    return pd.Series(~(cheaper & strictly).any(axis=1), index=cost.index)


def plot(numbers: pd.DataFrame, chance: float) -> matplotlib.figure.Figure:
    """A panel for each cost."""
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 3.3), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    x_of = {}
    for letter, axes, (name, label) in zip("ab", panels, PANELS.items(), strict=True):
        x_of[name] = numbers[name].astype(float)
        if name == "parameters" and (numbers[name] > 0).any():
            none = NONE * numbers.loc[numbers[name] > 0, name].min()
            x_of[name] = x_of[name].where(x_of[name] > 0, none)
        _panel(axes, numbers.assign(x=x_of[name]))
        axes.axhline(chance, color=GREY, linestyle=":")
        axes.set_xlabel(label)
        _ticks(axes, x_of[name], none if name == "parameters" else None)
        panel_title(axes, letter, "Parameters" if name == "parameters" else "Training time")
    panels[0].set_ylabel("V2T R@1, letters")
    panels[0].set_ylim(bottom=0)
    shown = [family for family in FAMILIES if (numbers["family"] == family.title).any()]
    look = dict(linestyle="none", color=GREY, marker="o")
    handles = [
        *(
            Line2D([], [], linestyle="none", color=one.colour, marker=one.marker, label=one.title)
            for one in shown
        ),
        *(
            [Line2D([], [], **look, mfc="white", label="other hardware")]
            * (not numbers["usual"].all())
        ),
        Line2D([], [], color=GREY, linestyle=":", label="chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.draw_without_rendering()  # places of names depend on the final layout
    for axes, name in zip(panels, PANELS, strict=True):
        _name(axes, numbers.assign(x=x_of[name]), numbers[f"named_{name}"])
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame) -> None:
    for family in FAMILIES:
        rows = numbers[numbers["family"] == family.title]
        axes.vlines(rows["x"], rows["low"], rows["high"], color=family.colour, alpha=0.35, lw=0.8)
        for same in (True, False):
            these = rows[rows["usual"] == same]
            axes.plot(
                these["x"],
                these["value"],
                linestyle="none",
                marker=family.marker,
                color=family.colour,
                markerfacecolor=family.colour if same else "white",
                markeredgewidth=0.7,
            )
    axes.set_xscale("log")
    axes.grid(axis="y")


def _ticks(axes: Axes, x: pd.Series, none: float | None) -> None:
    """Ticks at 1, 2 and 5 times powers of ten; ``none`` is where no parameters stand."""
    low, high = x[x > none].min() if none else x.min(), x.max()
    powers = [m * 10.0**e for e in range(-2, 10) for m in ((1, 2, 5) if none else (1,))]
    ticks = [tick for tick in powers if low / 1.6 <= tick <= high * 1.6]
    labels = [f"{tick:,g}" if tick < 1e4 else f"{tick / 1e3:,.0f} k" for tick in ticks]
    if none is not None and (x <= none).any():
        ticks, labels = [none, *ticks], ["none", *labels]
        axes.axvspan(none / 1.3, none * 1.3, color=FAINT, alpha=0.4, linewidth=0, zorder=0)
    axes.set_xticks(ticks, labels)
    axes.xaxis.set_minor_locator(NullLocator())


def _name(axes: Axes, numbers: pd.DataFrame, named: pd.Series) -> None:
    """Write the names of encoders, best first, each at the first free place near its marker."""
    points = axes.get_figure().dpi / 72  # pixels
    low, centres, high = (
        axes.transData.transform(numbers[["x", name]].to_numpy())
        for name in ("low", "value", "high")
    )
    radius = 0.6 * MARKER * points
    markers = [Bbox([one - radius, one + radius]) for one in centres]
    lines = [Bbox([one - 1, other + 1]) for one, other in zip(low, high, strict=True)]
    names: list[Bbox] = []
    for index in numbers[named].sort_values("value", ascending=False).index:
        at = numbers.index.get_loc(index)
        others = [one for one in markers if not one.contains(*centres[at])]  # of other places
        for covered in ([*markers, *lines], markers):  # a name may cross an interval, if it must
            box = _place(axes, numbers.loc[index], [*covered, *names], [*others, *names])
            if box is not None:
                names.append(box.padded(2 * points))
                break


def _place(
    axes: Axes, row: pd.Series, taken: Sequence[Bbox], others: Sequence[Bbox]
) -> Bbox | None:
    """Write a name where nothing is taken, so that it is plain whose it is.

    Args:
        taken: what the name must not cover.
        others: other markers and names: they are farther away than the own marker, or a line that
            leads there and crosses none of them.

    Returns:
        the box of the name; None: there is no such place.
    """
    inside = axes.get_window_extent()
    own = axes.transData.transform((row["x"], row["value"]))
    for reach in REACH:
        for right, up in DIRECTIONS:
            place = dict(xytext=(reach * right, reach * up), textcoords="offset points")
            label = axes.annotate(
                row["title"],
                (row["x"], row["value"]),
                **place,
                ha={1: "left", -1: "right", 0: "center"}[int(np.sign(right))],
                va={1: "bottom", -1: "top", 0: "center"}[int(np.sign(up))],
                fontsize=6.5,
            )
            box = label.get_window_extent()
            free = inside.contains(*box.min) and inside.contains(*box.max)
            free = free and not any(box.overlaps(one) for one in taken)
            near = np.clip(own, box.min, box.max)  # the point of the name nearest to its marker
            if reach == REACH[0]:
                nearest = min((_distance(box, _middle(one)) for one in others), default=np.inf)
                free = free and _distance(box, own) < 0.7 * nearest
            else:
                leader = np.linspace(own, near, 20)
                free = free and not any(one.contains(*at) for one in others for at in leader)
            if free:
                label.set_in_layout(False)
                if reach > REACH[0]:
                    end = axes.transData.inverted().transform(near)
                    axes.annotate("", (row["x"], row["value"]), xytext=end, arrowprops=LEADER)
                return box
            label.remove()
    return None


def _distance(box: Bbox, point: NDArray[np.float64]) -> float:
    return float(np.hypot(*(np.clip(point, box.min, box.max) - point)))


def _middle(box: Bbox) -> NDArray[np.float64]:
    return (box.min + box.max) / 2


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: nothing was evaluated on the split.
    """
    found = [
        (family, result)
        for family in FAMILIES
        for result in families.select(source, family, SPLIT, RETRIEVAL).values()
    ]
    if not found:
        raise NoResults("no results on letters; `make repro` makes them")
    pipelines = [one.hardware for _, one in found if one.group == source.group]
    usual = Counter(pipelines or [one.hardware for _, one in found]).most_common(1)[0][0]
    numbers = frame(found, usual)
    best = numbers.loc[numbers["value"].idxmax()]
    hardware = " and ".join(
        f"{count} on {name}" for name, count in Counter(numbers["hardware"]).most_common()
    )
    caption = (
        f"V2T R@1 of {len(numbers)} encoders on the held-out letters of {source.corpus}, with 95 % "
        "bootstrap intervals, against their parameters (a) and the time that training took, summed "
        f"over folds (b); measured: {hardware} (open markers: not on {usual}). Times depend on "
        "the machine and its load. Named are the best encoder of each family and those that no "
        f"cheaper one beats. The highest value is {best['value']:.2f} ({best['title']}, "
        f"{best['parameters']:,} parameters, {best['seconds']:,.0f} s)."
    )
    chance = found[0][1].scores[METRIC].chance
    return Drawing(plot(numbers, chance), numbers, [one for _, one in found], caption)


FIGURE = Figure(
    "cost_quality",
    "Parameters and training time against V2T R@1",
    tuple(Need(SPLIT, RETRIEVAL, (family.suite,)) for family in FAMILIES),
    draw,
)
