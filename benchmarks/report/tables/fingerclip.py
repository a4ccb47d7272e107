"""FingerCLIP: the published numbers on RWTH-FS beside ours on the embedded corpus.

Decisions
* Ours on the embedded corpus (split ``letters``) stand in columns of their own.
* Below the paper's rows stand the skeleton models, the floors and chance.

Cost: a second.
"""

from __future__ import annotations

from baselines.skeletons import table as skeletons
from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
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

NAME = "fingerclip"
NEED = Need(suites.LETTERS, RETRIEVAL, (NAME, suites.SKELETON_SUITE, suites.FLOOR_SUITE))


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


def build(source: Source) -> Page:
    """See the module."""
    ours = source.select(NEED)
    beside = [
        {"row": name, "title": ours[name].title, "experiment": name}
        for name in suites.expand([suites.SKELETON_SUITE, suites.FLOOR_SUITE])
        if name in ours
    ]
    places = {NEED.split: ours.get}
    cells = published.compare(NAME, source, places)
    published.add_ours(cells, beside, ALL_RETRIEVAL_METRICS, places)
    first = next(iter(ours.values()), None)
    cells.rows += published.chance_row(ALL_RETRIEVAL_METRICS, {NEED.split: first})
    frame = cells.frame()
    parts = {
        f"{way}: {words}": published.printed(
            frame, {name: short(name) for name in RETRIEVAL_METRICS[way]}, {NEED.split: ""}
        )
        for way, words in DIRECTIONS.items()
    }
    notes = dict(
        first=first,
        missing_models=missing_models(),
        ceilings={k: ceiling(first, k) for k in (5, 10)} if first else {},
    )
    return Page(frame, parts, notes, list(ours.values()), cells=cells.sources)


TABLE = Table(NAME, "FingerCLIP: fingerspelling retrieval", (NEED,), build)
