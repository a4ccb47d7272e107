"""The statistics of corpora that figures show: cards of corpora at hand, and Spreadthesign's.

Decisions
* A corpus at hand is one with a card, ``results/corpora/<corpus>.csv``; the embedded corpus, or
  whichever the report is about, is the first. A card without the panel that is asked for was
  written by an older version and left out.
* A corpus has the same colour and marker in all figures.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

import pandas as pd

from benchmarks.report.drawing import OKABE_ITO
from benchmarks.source import NoResults, Source
from signclip.core.errors import ConfigError

PUBLISHED = "Spreadthesign"  # as in the paper
PUBLISHED_COLOUR = OKABE_ITO["blue"]
_LOOKS = [
    (OKABE_ITO["vermillion"], "o"),
    (OKABE_ITO["green"], "s"),
    (OKABE_ITO["orange"], "^"),
    (OKABE_ITO["purple"], "D"),
]


def read_panel(source: Source, panel: str) -> dict[str, pd.DataFrame]:
    """Corpus -> the rows of one panel of its card: name (text) and value (number).

    Raises:
        NoResults: no corpus has a card with it.
        ConfigError: a card is damaged.
    """
    folder = source.workspace.results / "corpora"
    paths = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    order = sorted(paths, key=lambda name: (name != source.corpus, name))
    found = {}
    for corpus in order:
        try:
            card = pd.read_csv(
                paths[corpus], dtype={"panel": str, "name": str}, keep_default_na=False
            )
            rows = card.loc[card["panel"] == panel, ["name", "value"]]
            rows = rows.assign(value=rows["value"].astype(float))
        except (ValueError, KeyError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{paths[corpus]}: damaged ({error}); `signclip corpora card {corpus}` writes it"
            ) from None
        if len(rows):
            found[corpus] = rows.reset_index(drop=True)
    if not found:
        raise NoResults(
            f"{folder}: no card of a corpus with the panel {panel!r}; "
            f"`signclip corpora card {source.corpus}` writes one"
        )
    return found


def looks(corpora: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Corpus -> its colour and marker."""
    return dict(zip(corpora, cycle(_LOOKS), strict=False))


def by_corpus(numbers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Corpus -> its rows of plotted numbers, in their order."""
    return {str(corpus): rows for corpus, rows in numbers.groupby("corpus", sort=False)}
