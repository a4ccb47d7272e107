"""Lengths of clips in frames: Spreadthesign as published, and the corpora at hand.

Decisions
* The paper's figure 6, from its published counts of poses by length; below it, on the same axis,
  the corpora at hand (:mod:`benchmarks.report.corpus_cards`).
* Bins are :data:`BIN` frames wide, or as wide as on a corpus' card where those are wider. The
  height of a bin is the share of the corpus' clips per frame of length, so that corpora of
  different sizes and bins can be compared.
* The axis ends at the 256 frames that the paper's models take; longer clips are counted in the
  caption. The published lengths have no longer ones.
* A median is that of the card's bins: exact where they are one frame wide, else their middle.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure
import numpy as np
import pandas as pd

from benchmarks.paper.figures import POSE_LENGTHS, statistics
from benchmarks.report import corpus_cards
from benchmarks.report.corpus_cards import PUBLISHED, PUBLISHED_COLOUR
from benchmarks.report.drawing import COLUMN_WIDTH, Drawing, Figure, panel_title
from benchmarks.source import Source

BIN, LIMIT = 4, 256  # frames


COLUMNS = ["corpus", "from", "to", "clips", "percent_per_frame", "median", "longer"]


def frame(cards: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per corpus and bin.

    Returns:
        columns corpus, from, to (excluded), clips, percent_per_frame; of the whole corpus, median
        (frames) and longer (clips of more than :data:`LIMIT` frames).
    """
    published = statistics(POSE_LENGTHS).rename(columns={"frames": "from"})
    bins_of = {PUBLISHED: published.assign(to=published["from"] + 1)}
    for corpus, rows in cards.items():
        edges = rows["name"].str.split("-", n=1, expand=True).astype(int)
        bins_of[corpus] = pd.DataFrame(
            {"from": edges[0], "to": edges[1] + 1, "clips": rows["value"]}
        )
    tables = [_binned(bins).assign(corpus=corpus) for corpus, bins in bins_of.items()]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _binned(bins: pd.DataFrame) -> pd.DataFrame:
    """Equal bins of one frame or more (columns from, to, clips), joined to :data:`BIN` frames."""
    width = int((bins["to"] - bins["from"]).iloc[0])
    width *= -(-BIN // width)
    clips = bins["clips"].groupby(bins["from"] // width * width).sum()
    clips = clips.reindex(range(0, int(clips.index.max()) + 1, width), fill_value=0)
    table = pd.DataFrame({"from": clips.index, "to": clips.index + width, "clips": clips})
    table["percent_per_frame"] = 100 * table["clips"] / (clips.sum() * width)
    table["median"] = _median(bins)
    table["longer"] = bins.loc[bins["from"] > LIMIT, "clips"].sum()
    return table.astype({"clips": int, "longer": int})


def _median(bins: pd.DataFrame) -> float:
    at = int(np.searchsorted(bins["clips"].cumsum(), bins["clips"].sum() / 2))
    return float(bins["from"].iloc[at] + bins["to"].iloc[at] - 1) / 2


def plot(numbers: pd.DataFrame) -> matplotlib.figure.Figure:
    """Published lengths above, those of corpora at hand below."""
    by_corpus = corpus_cards.by_corpus(numbers)
    figure = matplotlib.figure.Figure(
        figsize=(COLUMN_WIDTH, 2.8 + 0.13 * len(by_corpus)), layout="constrained"
    )
    published, here = figure.subplots(2, 1, sharex=True)
    looks = {PUBLISHED: (PUBLISHED_COLOUR, "")}
    looks |= corpus_cards.looks([name for name in by_corpus if name != PUBLISHED])
    for corpus, bins in by_corpus.items():
        colour, _ = looks[corpus]
        edges = [*bins["from"], bins["to"].iloc[-1]]
        label = f"{corpus}: {bins['clips'].sum():,} clips" if corpus != PUBLISHED else None
        axes = published if corpus == PUBLISHED else here
        heights = bins["percent_per_frame"]
        axes.stairs(heights, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
        axes.stairs(heights, edges, color=colour, linewidth=0.9, label=label)
        axes.axvline(bins["median"].iloc[0], color=colour, linestyle=":")
    total = by_corpus[PUBLISHED]["clips"].sum()
    panel_title(published, "a", f"{PUBLISHED}, as published: {total:,} clips")
    panel_title(here, "b", "Corpora at hand")
    figure.legend(loc="outside lower right")
    here.set_xlim(0, LIMIT)
    here.set_xlabel("length of a clip [frames]; dotted: median")
    for axes in (published, here):
        axes.set_ylim(bottom=0)
    figure.supylabel("share of clips [% per frame of length]", fontsize=7)
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    numbers = frame(corpus_cards.read_panel(source, "length"))
    words = []
    for corpus, bins in corpus_cards.by_corpus(numbers).items():
        median, longer = bins["median"].iloc[0], bins["longer"].iloc[0]
        text = f"{corpus}, {bins['clips'].sum():,} clips, median {median:g} frames"
        words.append(text + (f", {longer:,} of them longer than {LIMIT}" if longer else ""))
    caption = (
        "Lengths of clips in frames, whatever their frame rates. a: poses of Spreadthesign's "
        f"English part of at most {LIMIT} frames, as published: {words[0]}. b: the corpora at "
        f"hand, on the same axis: {'; '.join(words[1:])}. Dotted lines are medians."
    )
    return Drawing(plot(numbers), numbers, caption=caption)


FIGURE = Figure("length_distribution", "Lengths of clips", (), draw)
