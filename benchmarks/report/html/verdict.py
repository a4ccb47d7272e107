"""The verdict on the paper in a few sentences, then in numbers.

Decisions
* Counted by :mod:`benchmarks.report.summary` from the CSVs of the tables. Where one of them is
  missing there is no summary: half of one would mislead.
* Reproduced numbers are told apart by how they were found: measured with a trained model, or
  counted (sizes), since a reader of the first line takes them for the former.

Cost: milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import paper
from benchmarks.report import summary, verdicts
from benchmarks.report.html import markup
from signclip.core.errors import ConfigError

MOST = 4  # needs that the sentence names


class Kind(NamedTuple):
    """How many numbers or claims have a verdict."""

    name: str
    count: int
    classes: str


class Line(NamedTuple):
    """The verdicts of a table, or on claims at a place."""

    name: str
    title: str
    total: int
    kinds: list[Kind]


class Verdict(NamedTuple):
    """What the summary shows; without tables it is empty.

    Attributes:
        sentences: for who reads nothing else.
        reasons: kind of verdict -> reason and number of values, most first.
    """

    total: Line
    sentences: list[str]
    tables: list[Line]
    reasons: dict[str, list[tuple[str, int]]]
    claims: list[Line]


Measured = Mapping[str, Collection[tuple[str, str]]]  # table -> (row, column) from a result


def verdict_of(tables: Path, titles: Mapping[str, str], measured: Measured) -> Verdict | None:
    """The verdict; None where a table that it is counted from is missing.

    Args:
        tables: the folder of the written tables.
        titles: of the tables.
        measured: cells whose number is from a result.
    """
    try:
        numbers = summary.numbers(tables)
        claims = summary.claims(tables)
        reasons = {
            kind: _reasons(summary.reasons(tables, kind))
            for kind in (verdicts.NOT_RUN, verdicts.NOT_COMPARABLE)
        }
        found = _reproduced(tables, measured)
    except ConfigError:
        return None
    lines = [
        _line(row["table"], titles.get(row["table"], row["table"]), row["published"], row)
        for row in numbers.to_dict("records")
    ]
    sums = numbers[["published", *summary.NUMBERS]].sum()
    total = _line("", "all tables", sums["published"], sums)
    places = [
        _line(row["where"], row["where"], row["claims"], row, summary.OF_CLAIMS)
        for row in claims.to_dict("records")
    ]
    needed = reasons[verdicts.NOT_RUN]
    sentences = [*_found(found), *_needed(needed), *_claims(places)]
    return Verdict(total, sentences, lines, reasons, places)


def _line(
    name: str,
    title: str,
    total: int,
    counts: Mapping[str, int] | pd.Series,
    kinds: tuple[str, ...] = summary.NUMBERS,
) -> Line:
    of = [Kind(kind, int(counts[kind]), markup.name_class(kind)) for kind in kinds]
    return Line(name, title, int(total), of)


def _reasons(table: pd.DataFrame) -> list[tuple[str, int]]:
    return [(str(reason), int(count)) for reason, count in table.itertuples(index=False)]


class Reproduced(NamedTuple):
    """Reproduced numbers: how many were measured, how many were counted, and which those are."""

    measured: int
    counted: int
    columns: list[str]


def _reproduced(tables: Path, measured: Measured) -> Reproduced:
    by_result, counted = 0, 0
    columns: dict[str, None] = {}
    for name in paper.tables():
        cells = summary.published_cells(summary.read(tables, name))
        cells = cells[cells["verdict"].map(verdicts.kind_of) == verdicts.REPRODUCED]
        for row, column in cells[["row", "column"]].itertuples(index=False):
            if (row, column) in measured.get(name, ()):
                by_result += 1
            else:
                counted += 1
                columns[column.replace("_", " ")] = None
    return Reproduced(by_result, counted, list(columns))


def _found(found: Reproduced) -> list[str]:
    said = []
    if found.measured:
        were = "number was" if found.measured == 1 else "numbers were"
        said.append(f"{found.measured} reproduced {were} measured with trained models.")
    if found.counted:
        what = " and ".join(filter(None, (", ".join(found.columns[:-1]), found.columns[-1])))
        start = f"{found.counted} of them" if found.measured else "The reproduced numbers"
        end = "" if found.measured else "; no score of the paper has been measured again"
        sizes = f"are sizes of our models in the published configuration (columns {what})"
        said.append(f"{start} {sizes}{end}.")
    return said


def _needed(reasons: list[tuple[str, int]]) -> list[str]:
    """What most of the numbers that were not run need."""
    counts: Counter[str] = Counter()
    for reason, count in reasons:
        for one in reason.removeprefix("needs ").split(" and "):
            counts[one.partition(", ")[0]] += count
    if not counts:
        return []
    most = ", ".join(f"{name} ({count})" for name, count in counts.most_common(MOST))
    return [f"What was not run needs data or weights that are not here, most often: {most}."]


def _claims(places: list[Line]) -> list[str]:
    said = []
    for place in places:
        counts = {kind.name: kind.count for kind in place.kinds}
        texts = {
            verdicts.HOLDS: "{} hold" if counts[verdicts.HOLDS] != 1 else "{} holds",
            verdicts.DOES_NOT: "{} do not" if counts[verdicts.DOES_NOT] != 1 else "{} does not",
            verdicts.OPEN: "{} cannot be told",
        }
        told = [text.format(counts[kind]) for kind, text in texts.items() if counts[kind]]
        if told:
            split, _, gallery = place.title.partition(", ")
            where = f"{split} ({gallery})" if gallery else split
            said.append(f"on {where} {', '.join(told)}")
    if not said:
        return []
    claimed = max(place.total for place in places)
    judged = "; ".join(said)
    return [f"Of the paper's {claimed} claims that one row beats another, tried here: {judged}."]
