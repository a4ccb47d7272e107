"""SignCLIP pretraining, E4 to E7.3 and the final rows: in-domain and zero-shot.

Decisions
* Ours on the embedded corpus (split ``in_domain``) stand in columns of their own, one group a
  gallery: ``tagged`` is the paper's question, so it stands first; ``labels`` holds the labels
  without a language, and a row that was never trained on such a text is not asked.
* The zero-shot columns of the paper are on Kaggle's asl-signs, ASL Citizen and Sem-Lex, among
  labels that pretraining has seen. Zero-shot results on a transfer corpus at hand follow.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks import paper, suites
from benchmarks.evaluation.galleries import OFFICIAL
from benchmarks.report import published, verdicts
from benchmarks.report.cells import (
    ALL_RETRIEVAL_METRICS,
    DIRECTIONS,
    RETRIEVAL_METRICS,
    short,
)
from benchmarks.report.page import Page, Table
from benchmarks.report.places import GALLERIES, Place
from benchmarks.report.published import Cells, Find
from benchmarks.results import Result
from benchmarks.source import NoResults, Source

NAME = "pretraining"
PLACES = tuple(Place(suites.IN_DOMAIN, gallery) for gallery in GALLERIES)
ZERO_SHOT = "zero_shot"
OTHER_HARDWARE = "training time on hardware that was not recorded"
CORPORA = {"AS": "asl-signs (Kaggle)", "AC": "ASL Citizen", "SL": "Sem-Lex"}


def sizes(source: Source, table: str) -> dict[tuple[str, str], float]:
    """(row, column) -> parameters of our model in the published configuration."""
    try:
        counted = source.points("model_sizes").set_index("experiment")["parameters"]
    except NoResults:
        return {}
    rows = paper.rows(table)
    return {
        (row, "parameters"): float(counted[experiment])
        for row, experiment in zip(rows["row"], rows["experiment"], strict=True)
        if experiment in counted
    }


def zero_shot_corpora(source: Source) -> list[str]:
    """The transfer corpora at hand with zero-shot results of rows of the embedded corpus."""
    frame = source.frame
    here = frame["group"].str.startswith("transfer-") & (frame["task"] == ZERO_SHOT)
    revision = frame["revision"] == f"{source.profile}.{suites.IN_DOMAIN}"
    return sorted(set(frame[here & revision]["corpus"]))


def zero_shot_of(source: Source, corpus: str) -> Find:
    """Finds a row's zero-shot result on a transfer corpus."""
    revision = f"{source.profile}.{suites.IN_DOMAIN}"

    def find(experiment: str) -> Result | None:
        where = dict(group=f"transfer-{corpus}", revision=revision, corpus=corpus)
        return source.find(experiment, ZERO_SHOT, OFFICIAL, **where)

    return find


def parts_of(frame: pd.DataFrame, places: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Heading -> printed part: both directions in domain, then each zero-shot corpus.

    Args:
        places: the columns of the embedded corpus -> their heads.
    """
    parts = {
        f"In-domain, {way} ({words})": published.printed(
            frame, {name: short(name) for name in RETRIEVAL_METRICS[way]}, places
        )
        for way, words in DIRECTIONS.items()
    }
    for prefix, corpus in CORPORA.items():
        columns = {
            f"{prefix}_{name}": f"{way} {short(name)}"
            for way, names in RETRIEVAL_METRICS.items()
            for name in names
        }
        parts[f"Zero-shot, {corpus}"] = published.printed(frame, columns, {})
    return parts


def with_zero_shot(name: str, source: Source, cells: Cells, parts: dict[str, pd.DataFrame]) -> None:
    """Add the zero-shot results on corpora at hand to the cells and the printed parts."""
    for corpus in zero_shot_corpora(source):
        here = published.compare(name, source, {corpus: zero_shot_of(source, corpus)})
        rows = [
            {**{key: row.get(key, "") for key in published.IDENTITY}, **row}
            for row in here.rows
            if row.get(corpus)
        ]
        judged = {*published.JUDGED, "verdict"}
        for row in rows:
            row |= dict.fromkeys(judged & row.keys(), "") | {"verdict": verdicts.OURS}
            row["column"] = f"{corpus} {row['column']}"
        cells.rows += rows
        cells.sources |= {
            (row, column): found
            for (row, column), found in here.sources.items()
            if column.startswith(f"{corpus} ")
        }
        columns = {f"{corpus} {metric}": short(metric) for metric in RETRIEVAL_METRICS["V2T"]}
        printed = published.printed(pd.DataFrame(rows).fillna(""), columns, {corpus: ""})
        heading = f"Zero-shot, {corpus}, trained on the embedded corpus"
        parts[heading] = published.only_ours(printed)


Parts = dict[str, pd.DataFrame]  # heading -> printed part


def build_rows(name: str, source: Source, suite: str) -> tuple[Cells, Parts, dict[str, Any]]:
    """The cells, printed parts and notes of a table of pretraining rows.

    Args:
        name: of the published table.
        suite: the rows on the embedded corpus.
    """
    ours = {place.gallery: source.select(place.need(suite)) for place in PLACES}
    places = {f"{suites.IN_DOMAIN} {gallery}": found.get for gallery, found in ours.items()}
    heads = {place: f"ours {place.split()[-1]}" for place in places}
    cells = published.compare(
        name, source, places, counted=sizes(source, name), refused={"time": OTHER_HARDWARE}
    )
    first = {gallery: next(iter(found.values()), None) for gallery, found in ours.items()}
    by_place = dict(zip(places, first.values(), strict=True))
    cells.rows += published.chance_row(ALL_RETRIEVAL_METRICS, by_place)
    parts = parts_of(cells.frame(), heads)
    with_zero_shot(name, source, cells, parts)
    notes = dict(
        first=first,
        profile=source.profile,
        theirs=[one for one in cells.shown() if one.corpus == paper.CORPUS],
        here=[one for one in cells.shown() if one.group.startswith("transfer-")],
    )
    return cells, parts, notes


def build(source: Source) -> Page:
    """See the module."""
    cells, parts, notes = build_rows(NAME, source, NAME)
    parts["Size and training time"] = published.printed(
        cells.frame(), {"parameters": "parameters", "time": "time"}, {}
    )
    points = ("model_sizes",) if sizes(source, NAME) else ()
    return Page(cells.frame(), parts, notes, cells.shown(), cells=cells.sources, points=points)


TABLE = Table(NAME, "SignCLIP: pretraining", tuple(place.need(NAME) for place in PLACES), build)
