"""V2T R@k for every k up to 50, or to the size of the gallery.

Decisions
* Few encoders a panel: the best row of the paper (of FingerCLIP and of SignCLIP, where there are
  such rows), X, the best skeleton model, the best floor and chance.
* Bands are pointwise 95 % bootstrap intervals over clips; the clips drawn are the same for all k
  and encoders, :data:`RESAMPLES` times.
* k is on a logarithmic axis, since the first ranks matter most.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.metrics import ties
from benchmarks.report import families
from benchmarks.report.drawing import GREY, OKABE_ITO, PAGE_WIDTH, Drawing, Figure, panel_title
from benchmarks.report.tables.beyond import BEST, FLOOR
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source

DEEPEST, RESAMPLES, SEED = 50, 2_000, 0
TICKS = (1, 2, 5, 10, 20, 50)
CHANCE = "chance"


class Panel(NamedTuple):
    """A split and gallery."""

    title: str
    split: str
    task: str


PANELS = (
    Panel("letters", suites.LETTERS, RETRIEVAL),
    Panel("in_domain, with the language", suites.IN_DOMAIN, TAGGED_RETRIEVAL),
    Panel("unseen_language", suites.UNSEEN, RETRIEVAL),
)
# what an encoder is in a panel -> its colour and line
ROLES = {
    BEST: (OKABE_ITO["vermillion"], "-"),
    "best skeleton model": (OKABE_ITO["green"], "-"),
    "best FingerCLIP row": (OKABE_ITO["orange"], "-"),
    "best SignCLIP row of the paper": (OKABE_ITO["blue"], "-"),
    FLOOR: (OKABE_ITO["purple"], "--"),
    CHANCE: (GREY, ":"),
}


def encoders(source: Source, panel: Panel) -> dict[str, Result]:
    """Role -> result of the encoders of a panel; those that there are."""
    of = {
        family: families.select(source, family, panel.split, panel.task)
        for family in (families.SKELETONS, families.FINGERCLIP, families.PAPER)
    }
    found = {}
    named = source.select_any(Need(panel.split, panel.task, (BEST, suites.FLOOR_SUITE)))
    if BEST in named:
        found[BEST] = named[BEST]
    for role, results_of in zip(list(ROLES)[1:4], of.values(), strict=True):
        name = families.best(results_of)
        if name is not None:
            found[role] = results_of[name]
    if (floor := families.best_floor(named)) is not None:
        found[FLOOR] = named[floor]
    return {role: result for role, result in found.items() if result.ranks}


def recalls(result: Result) -> pd.DataFrame:
    """R@k of a result: columns k, value, low, high."""
    by_clip = {clip: result.ranks[clip] for clip in sorted(result.ranks)}
    ks = np.arange(1, min(DEEPEST, result.labels) + 1)
    hits = np.stack([ties.recall_of_clips(by_clip, k) for k in ks.tolist()], axis=1)  # (clips, ks)
    drawn = _weights(len(by_clip)) @ hits
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return pd.DataFrame({"k": ks, "value": hits.mean(axis=0), "low": low, "high": high})


def _weights(clips: int) -> NDArray[np.float64]:
    """How often each clip is drawn, as a share: (resamples, clips)."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=RESAMPLES) / clips


def frame(found: Mapping[Panel, Mapping[str, Result]]) -> pd.DataFrame:
    """One row per panel, role and k: split, task, role, encoder, k, value, low, high."""
    tables = []
    for panel, results_of in found.items():
        about = dict(split=panel.split, task=panel.task)
        for role, result in results_of.items():
            tables.append(recalls(result).assign(**about, role=role, encoder=result.encoder))
        texts = next(iter(results_of.values())).labels
        ks = np.arange(1, min(DEEPEST, texts) + 1)
        chance = pd.DataFrame({"k": ks, "value": ks / texts})
        tables.append(chance.assign(**about, role=CHANCE, encoder=CHANCE))
    numbers = pd.concat(tables, ignore_index=True)
    return numbers[["split", "task", "role", "encoder", "k", "value", "low", "high"]]


def plot(
    numbers: pd.DataFrame, found: Mapping[Panel, Mapping[str, Result]]
) -> matplotlib.figure.Figure:
    """A panel for each split and gallery that was evaluated."""
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 2.75), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for letter, axes, (panel, results_of) in zip("abc", panels, found.items(), strict=False):
        here = numbers[(numbers["split"] == panel.split) & (numbers["task"] == panel.task)]
        _panel(axes, here)
        one = next(iter(results_of.values()))
        panel_title(axes, letter, f"{panel.title}\n{one.n_evaluated} clips, {one.labels} texts")
    panels[0].set_ylabel("V2T R@k")
    roles = [role for role in ROLES if (numbers["role"] == role).any()]
    handles = [
        Line2D([], [], color=ROLES[role][0], linestyle=ROLES[role][1], label=role) for role in roles
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, numbers: pd.DataFrame) -> None:
    for role, rows in numbers.groupby("role", sort=False):
        colour, line = ROLES[str(role)]
        axes.plot(rows["k"], rows["value"], color=colour, linestyle=line)
        if role != CHANCE:
            axes.fill_between(rows["k"], rows["low"], rows["high"], color=colour, alpha=0.15, lw=0)
    deepest = numbers["k"].max()
    axes.set_xscale("log")
    axes.set_xlim(1, deepest)
    axes.set_ylim(0, 1)
    ticks = sorted({*(k for k in TICKS if k < 0.8 * deepest), deepest})
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("k")
    axes.grid()


def draw(source: Source) -> Drawing:
    """See the module.

    Raises:
        NoResults: nothing was evaluated.
    """
    found = {panel: encoders(source, panel) for panel in PANELS}
    found = {panel: results_of for panel, results_of in found.items() if results_of}
    if not found:
        raise NoResults("no results with the ranks of clips; `make repro` makes them")
    numbers = frame(found)
    words = []
    for letter, (panel, results_of) in zip("abc", found.items(), strict=False):
        chosen = [
            f"{role} is {result.encoder}" for role, result in results_of.items() if "best" in role
        ]
        words.append(f"{letter}, {panel.title}: {', '.join(chosen) or 'no other row'}.")
    caption = (
        f"V2T R@k on {source.corpus}: how often the text of a test clip is among the first k, with "
        "pointwise 95 % bootstrap bands over clips; dotted: random scores. The best row of a "
        f"family is the one with the highest R@1 on these test clips. {' '.join(words)}"
    )
    shown = [result for results_of in found.values() for result in results_of.values()]
    return Drawing(plot(numbers, found), numbers, shown, caption)


FIGURE = Figure(
    "recall_at_k",
    "V2T R@k",
    tuple(
        Need(
            panel.split,
            panel.task,
            (
                BEST,
                suites.FLOOR_SUITE,
                *(one.suite for one in (families.SKELETONS, families.FINGERCLIP, families.PAPER)),
            ),
        )
        for panel in PANELS
    ),
    draw,
)
