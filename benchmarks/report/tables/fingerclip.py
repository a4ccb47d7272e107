"""FingerCLIP: the published numbers on RWTH-FS beside ours on the embedded corpus.

Decisions
* Ours on the embedded corpus (split ``letters``) stand in columns of their own.
* Below the paper's rows stand the skeleton models, the floors and chance.
* Open corpora that were trained on (`make repro CORPORA=open`) are columns of their own: E3.2
  beside its published number, and X.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from baselines.skeletons import table as skeletons
from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.report import published
from benchmarks.report.cells import (
    ALL_RETRIEVAL_METRICS,
    DIRECTIONS,
    RETRIEVAL_METRICS,
    short,
)
from benchmarks.report.page import Page, Table
from benchmarks.results import Result
from benchmarks.source import Need, Source

if TYPE_CHECKING:
    import pandas as pd

NAME = "fingerclip"
NEED = Need(suites.LETTERS, RETRIEVAL, (NAME, suites.SKELETON_SUITE, suites.FLOOR_SUITE))

# Open corpora: groups of results, and the rows that are trained on them
GROUPS, OPEN_ROWS, OPEN_METRIC = "pretraining-", ("E3.2", "X"), "V2T_R@1"
PAPERS = ("spreadthesign", "rwth-fs")  # whose columns are the paper's own


def on_open_corpora(source: Source) -> dict[str, dict[str, Result]]:
    """Corpus and split -> row -> its result on an open corpus, as far as there are any."""
    frame = source.frame
    here = frame["group"].str.startswith(GROUPS) & (frame["revision"] == source.profile)
    here &= ~frame["corpus"].isin(PAPERS)
    places: dict[str, dict[str, Result]] = {}
    for corpus, split in sorted(set(zip(frame[here]["corpus"], frame[here]["split"], strict=True))):
        where = dict(group=f"{GROUPS}{corpus}", corpus=corpus)
        found = {
            row: source.find_first(row, (RETRIEVAL, TAGGED_RETRIEVAL), split, **where)
            for row in OPEN_ROWS
        }
        places[f"{corpus}, {split}"] = {row: one for row, one in found.items() if one is not None}
    return {place: found for place, found in places.items() if found}


def ceiling(result: Result, k: int) -> float:
    """The highest possible P@k, if the clips of a fold are spread evenly over the letters."""
    positives = result.n_evaluated / (result.labels * len(result.folds))
    return min(1.0, positives / k)


def missing_models() -> dict[str, str]:
    """Why skeleton models are not in the table -> their titles."""
    titles: dict[str, list[str]] = {}
    for about in skeletons.missing().values():
        titles.setdefault(about["reason"], []).append(about["title"])
    return {reason: ", ".join(names) for reason, names in titles.items()}


def open_part(
    frame: pd.DataFrame, open_results: Mapping[str, Mapping[str, Result]]
) -> dict[str, pd.DataFrame]:
    """The printed part of the open corpora: heading -> table; none where nothing was trained."""
    if not open_results:
        return {}
    rows = frame[frame["row"].isin([*OPEN_ROWS, "chance"])]
    heads = {OPEN_METRIC: short(OPEN_METRIC)}
    part = published.printed(rows, heads, {place: place for place in open_results})
    return {"Corpora that anyone can download": part}


def build(source: Source) -> Page:
    """See the module."""
    ours = source.select(NEED)
    beside = [
        {"row": name, "title": ours[name].title, "experiment": name}
        for name in suites.expand([suites.SKELETON_SUITE, suites.FLOOR_SUITE])
        if name in ours
    ]
    open_results = on_open_corpora(source)
    beside += [
        {"row": "X", "title": found["X"].title, "experiment": "X"}
        for found in list(open_results.values())[:1]
        if "X" in found
    ]
    places = {NEED.split: ours.get, **{place: found.get for place, found in open_results.items()}}
    cells = published.compare(NAME, source, places)
    published.add_ours(cells, beside, ALL_RETRIEVAL_METRICS, places)
    first = next(iter(ours.values()), None)
    firsts = {place: next(iter(found.values())) for place, found in open_results.items()}
    cells.rows += published.chance_row(ALL_RETRIEVAL_METRICS, {NEED.split: first, **firsts})
    frame = cells.frame()
    parts = {
        f"{way}: {words}": published.printed(
            frame, {name: short(name) for name in RETRIEVAL_METRICS[way]}, {NEED.split: ""}
        )
        for way, words in DIRECTIONS.items()
    }
    parts |= open_part(frame, open_results)
    notes = dict(
        first=first,
        open_results=firsts,
        missing_models=missing_models(),
        ceilings={k: ceiling(first, k) for k in (5, 10)} if first else {},
    )
    shown = [*ours.values(), *(one for found in open_results.values() for one in found.values())]
    return Page(frame, parts, notes, shown, cells=cells.sources)


TABLE = Table(NAME, "FingerCLIP: fingerspelling retrieval", (NEED,), build)
