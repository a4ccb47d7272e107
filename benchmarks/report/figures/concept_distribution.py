"""Clips per concept: Spreadthesign as published, and the corpora at hand.

Decisions
* The paper's figure 7, from its published counts: how many concepts have how many clips. A second
  panel counts the labels of the corpora at hand (:mod:`benchmarks.report.corpus_cards`).
* The axis of concepts is logarithmic, since most concepts of each corpus have one of a few counts;
  so concepts are dots and lines, not bars.
* The line at :data:`KNOWN` clips: concepts with more are the vocabulary of the paper's zero-shot
  tests.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure
import pandas as pd
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from benchmarks.paper.figures import PER_CONCEPT, statistics
from benchmarks.report import corpus_cards
from benchmarks.report.corpus_cards import PUBLISHED, PUBLISHED_COLOUR
from benchmarks.report.drawing import GREY, PAGE_WIDTH, Drawing, Figure, panel_title
from benchmarks.source import Source

KNOWN = 20  # clips
WIDE = 40  # clips per concept at hand, from which on their axis is logarithmic


def frame(cards: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per corpus and number of clips: corpus, clips_per_concept, concepts."""
    published = statistics(PER_CONCEPT)
    published = published.rename(columns={"examples_per_concept": "clips_per_concept"})
    tables = [published.sort_values("clips_per_concept").assign(corpus=PUBLISHED)]
    for corpus, rows in cards.items():
        counts = rows["value"].astype(int).value_counts().sort_index()
        table = counts.rename_axis("clips_per_concept").reset_index(name="concepts")
        tables.append(table.assign(corpus=corpus))
    return pd.concat(tables, ignore_index=True)[["corpus", "clips_per_concept", "concepts"]]


def plot(numbers: pd.DataFrame) -> matplotlib.figure.Figure:
    """Concepts over clips per concept, a dot for each number of clips."""
    by_corpus = corpus_cards.by_corpus(numbers)
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 2.2), layout="constrained")
    published, here = figure.subplots(1, 2, width_ratios=[1.5, 1])
    looks = {PUBLISHED: (PUBLISHED_COLOUR, ".")}
    looks |= corpus_cards.looks([name for name in by_corpus if name != PUBLISHED])
    for corpus, rows in by_corpus.items():
        colour, marker = looks[corpus]
        axes = published if corpus == PUBLISHED else here
        axes.vlines(rows["clips_per_concept"], 0.5, rows["concepts"], color=colour, alpha=0.35)
        axes.plot(
            rows["clips_per_concept"],
            rows["concepts"],
            linestyle="none",
            marker=marker,
            color=colour,
            label=f"{corpus}: {rows['concepts'].sum():,} concepts",
        )
    published.axvline(KNOWN + 0.5, color=GREY, linestyle=":")
    known = by_corpus[PUBLISHED].query("clips_per_concept > @KNOWN")["concepts"].sum()
    published.text(
        0.99,
        0.98,
        f"right of the dotted line: the {known:,} concepts\nwith more than {KNOWN} clips, the "
        "vocabulary\nof the paper's zero-shot tests",
        transform=published.transAxes,
        ha="right",
        va="top",
        fontsize=6.5,
        color=GREY,
    )
    total = by_corpus[PUBLISHED]["concepts"].sum()
    panel_title(published, "a", f"{PUBLISHED}, as published: {total:,} concepts")
    panel_title(here, "b", "Corpora at hand")
    here.legend(loc="upper right")
    most = numbers.loc[numbers["corpus"] != PUBLISHED, "clips_per_concept"].max()
    if most > WIDE:
        here.set_xscale("log")
    for axes in (published, here):
        axes.set_yscale("log")
        axes.set_ylim(0.7, 3 * max(axes.dataLim.y1, 1))
        if axes.get_xscale() == "linear":
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_xlabel("clips per concept")
    published.set_ylabel("concepts")
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    numbers = frame(corpus_cards.read_panel(source, "concept"))
    words = {}
    for corpus, rows in corpus_cards.by_corpus(numbers).items():
        concepts = rows["concepts"].sum()
        clips = int((rows["concepts"] * rows["clips_per_concept"]).sum())
        once = int(rows.loc[rows["clips_per_concept"] == 1, "concepts"].sum())
        words[corpus] = (
            f"{clips:,} clips of {concepts:,} concepts, {clips / concepts:.1f} on average and at "
            f"most {rows['clips_per_concept'].max():,}; {once:,} concepts have one clip"
        )
    known = numbers[(numbers["corpus"] == PUBLISHED) & (numbers["clips_per_concept"] > KNOWN)]
    caption = (
        "How many concepts have how many clips; a concept is a text, whatever its sign language. "
        f"a: {PUBLISHED}'s English part, as published: {words.pop(PUBLISHED)}; "
        f"{known['concepts'].sum():,} have more than {KNOWN}, those of the paper's zero-shot "
        "tests. b: the corpora at hand: "
        + "; ".join(f"{corpus}, {text}" for corpus, text in words.items())
        + "."
    )
    return Drawing(plot(numbers), numbers, caption=caption)


FIGURE = Figure("concept_distribution", "Clips per concept", (), draw)
