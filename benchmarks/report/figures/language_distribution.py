"""Clips per sign language: Spreadthesign as published, and the corpora at hand.

Decisions
* The paper's figure 5, from its published counts; a second panel beside it counts the clips of the
  corpora at hand (:mod:`benchmarks.report.corpus_cards`) in the same rows.
* Languages stand by their number of published clips; those of corpora at hand that the paper's
  model was not trained with follow.
* Counts at hand are dots: their axis is logarithmic where they differ by a factor of :data:`WIDE`
  or more, and a bar has no length on such an axis.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure
import pandas as pd
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from benchmarks.paper.figures import LANGUAGES, statistics
from benchmarks.report import corpus_cards
from benchmarks.report.corpus_cards import PUBLISHED, PUBLISHED_COLOUR
from benchmarks.report.drawing import FAINT, GREY, PAGE_WIDTH, Drawing, Figure, panel_title
from benchmarks.source import Source
from signclip.text import sign_languages

WIDE = 20
ROW_HEIGHT = 0.135  # inches


def frame(cards: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per corpus and sign language: corpus, sign_language, name, clips."""
    published = statistics(LANGUAGES).rename(columns={"examples": "clips"})
    tables = [published.sort_values("clips", ascending=False).assign(corpus=PUBLISHED)]
    for corpus, rows in cards.items():
        tables.append(
            rows.rename(columns={"name": "sign_language", "value": "clips"}).assign(corpus=corpus)
        )
    table = pd.concat(tables, ignore_index=True).astype({"clips": int})
    table["name"] = table["sign_language"].map(readable)
    return table[["corpus", "sign_language", "name", "clips"]]


def readable(tag: str) -> str:
    """A sign language as an axis names it: ``Greek in Cyprus (gss-cy)``."""
    known = sign_languages().get(tag)
    return f"{known.name.replace(' Sign Language', '')} ({tag})" if known else tag


def plot(numbers: pd.DataFrame) -> matplotlib.figure.Figure:
    """Published counts as bars, those of corpora at hand as dots in the same rows."""
    names = list(dict.fromkeys(numbers["name"]))
    height_of = {name: height for height, name in enumerate(names)}
    at_hand = [corpus for corpus in dict.fromkeys(numbers["corpus"]) if corpus != PUBLISHED]
    figure = matplotlib.figure.Figure(
        figsize=(PAGE_WIDTH, ROW_HEIGHT * len(names) + 0.75), layout="constrained"
    )
    published, here = figure.subplots(1, 2, sharey=True, width_ratios=[1.5, 1])

    rows = numbers[numbers["corpus"] == PUBLISHED]
    bars = published.barh(rows["name"].map(height_of), rows["clips"], 0.72, color=PUBLISHED_COLOUR)
    published.bar_label(bars, [f"{count:,}" for count in rows["clips"]], padding=2, color=GREY)
    for name in names[len(rows) :]:
        published.text(
            0, height_of[name], "  not in the paper", va="center", fontsize=6.5, color=GREY
        )
    published.set_yticks(range(len(names)), names)
    published.set_ylabel("sign language")
    published.set_ylim(len(names) - 0.4, -0.6)
    published.set_xlim(0, 1.12 * rows["clips"].max())
    panel_title(published, "a", f"{PUBLISHED}, as published: {rows['clips'].sum():,} clips")

    for corpus, (colour, marker) in corpus_cards.looks(at_hand).items():
        rows = numbers[numbers["corpus"] == corpus]
        here.plot(
            rows["clips"],
            rows["name"].map(height_of),
            linestyle="none",
            marker=marker,
            color=colour,
            label=f"{corpus}: {rows['clips'].sum():,} clips",
        )
    clips = numbers.loc[numbers["corpus"] != PUBLISHED, "clips"]
    if clips.max() >= WIDE * clips.min():
        here.set_xscale("log")
        here.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        here.xaxis.set_minor_locator(NullLocator())
    else:
        here.set_xlim(0, 1.05 * clips.max())
    panel_title(here, "b", "Corpora at hand")
    here.hlines(range(len(names)), *here.get_xlim(), color=FAINT, linewidth=0.4, zorder=0)
    here.margins(x=0)
    figure.legend(loc="outside lower right", ncols=len(at_hand))
    for axes in (published, here):
        axes.set_xlabel("clips")
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    numbers = frame(corpus_cards.read_panel(source, "language"))
    clips = numbers.groupby("corpus", sort=False)["clips"].sum()
    by_corpus = corpus_cards.by_corpus(numbers)
    published = by_corpus.pop(PUBLISHED)
    largest, most = published[["name", "clips"]].iloc[0]
    caption = (
        f"Clips per sign language. a: the English part of Spreadthesign with which the paper's "
        f"model was pretrained, as published: {clips[PUBLISHED]:,} clips in {len(published)} sign "
        f"languages, from {published['clips'].min():,} to {most:,} clips each (most: "
        f"{largest}). b: the corpora at hand: "
        + "; ".join(
            f"{corpus}, {table['clips'].sum():,} clips in {len(table)} sign languages, "
            f"{len(set(table['sign_language']) & set(published['sign_language']))} of them among "
            "the paper's"
            for corpus, table in by_corpus.items()
        )
        + "."
    )
    return Drawing(plot(numbers), numbers, caption=caption)


FIGURE = Figure("language_distribution", "Clips per sign language", (), draw)
