"""Dataset comparison: published figures beside what the manifests of the corpora at hand say.

Decisions
* A corpus at hand has a card (``results/corpora/<corpus>.csv``, written by ``signclip corpora
  card``), from which its statistics are read; a published figure is judged where the corpus has
  one, else the verdict says which corpus it needs.
* Corpora that are not in the paper stand in a part of their own.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmarks import paper
from benchmarks.report import published, verdicts
from benchmarks.report.cells import NOTHING
from benchmarks.report.corpus_cards import read_panel
from benchmarks.report.page import Page, Table
from benchmarks.source import NoResults, Source

NAME = "datasets"
TOTALS = ("sign_languages", "signers", "signs", "clips", "hours")  # of a card, panel `total`
HEADS = {"sign_languages": "sign languages"}
DESCRIPTIONS = ("language", "type")
OF_CARD = {"spreadthesign-english": "spreadthesign"}
REFUSED = dict.fromkeys(DESCRIPTIONS, "a description")


def cards(source: Source) -> dict[str, dict[str, float]]:
    """Corpus -> its totals, from the cards at hand.

    Raises:
        ConfigError: a card is damaged.
    """
    try:
        totals = read_panel(source, "total")
    except NoResults:
        return {}
    return {
        corpus: dict(totals[corpus].itertuples(index=False, name=None)) for corpus in sorted(totals)
    }


def counted(totals: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """(row, column) -> the corpus's own figure, for corpora of the paper that are at hand."""
    return {
        (row, column): totals[corpus][column]
        for row in paper.rows(NAME)["row"]
        if (corpus := OF_CARD.get(row, row)) in totals
        for column in totals[corpus]
    }


def at_hand(totals: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """The corpora at hand, one line each."""

    def shown(value: float | None, name: str) -> str:
        if value is None or (name == "signers" and value == 0):
            return NOTHING  # not recorded
        return f"{value:.2f}" if name == "hours" else f"{value:,.0f}"

    return pd.DataFrame(
        {
            "corpus": list(totals),
            **{
                HEADS.get(name, name): [shown(one.get(name), name) for one in totals.values()]
                for name in TOTALS
            },
        }
    )


def build(source: Source) -> Page:
    """See the module."""
    totals = cards(source)
    refused = dict(REFUSED)
    if paper.CORPUS in totals:
        lengths = ("clips", "mean_frames", "median_frames")
        refused |= {f"spreadthesign-256 {name}": "a card has no such lengths" for name in lengths}
    cells = published.compare(NAME, source, {}, counted=counted(totals), refused=refused)
    for corpus, of_corpus in totals.items():
        about = {"row": f"{corpus}, at hand", "title": corpus, "verdict": verdicts.OURS}
        for name in TOTALS:
            if name in of_corpus:
                cells.rows.append(about | {"column": name, "at_hand": f"{of_corpus[name]:g}"})
    frame = cells.frame()
    papers = frame[frame["published"].ne("") | frame["verdict"].str.startswith("not published")]
    columns = [*DESCRIPTIONS, "sign_languages", "clips", "signs", "signers"]
    lengths = ["mean_frames", "median_frames"]
    parts = {
        "Published": published.printed_text(papers, columns),
        "Published lengths": published.printed_text(papers, lengths),
        "Corpora at hand": at_hand(totals),
    }
    return Page(frame, parts, {"corpora": list(totals)})


TABLE = Table(NAME, "Dataset comparison", (), build)
