"""Printed parts of tables as the page shows them.

Decisions
* The first column is the row's head and stays in sight when the table is scrolled. Two columns that
  name a row together (id and title, split and id) are one head.
* A row without a head repeats the one above, as printed tables do; here the repeated cells are
  filled in, dimmed, so that a sorted table can be read.
* A cell of the column ``verdict`` is marked with its kind.

Cost: milliseconds.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from markupsafe import Markup, escape

from benchmarks.report import verdicts
from benchmarks.report.html import markup

HEADS = (("id", "row"), ("split", "id"))  # columns that name a row together
VERDICT, PUBLISHED = "verdict", "paper"
MARKED = (*verdicts.KINDS, verdicts.HOLDS, verdicts.DOES_NOT, verdicts.OPEN)


class Column(NamedTuple):
    """The head of a column, and whether it holds numbers."""

    text: str
    numeric: bool
    published: bool


class Cell(NamedTuple):
    """A cell: its HTML, what it is sorted by if that is a number, and its classes."""

    html: Markup
    key: str = ""
    classes: str = ""


class Row(NamedTuple):
    """The head of a row and its other cells."""

    head: Cell
    cells: list[Cell]


class Part(NamedTuple):
    """A printed part.

    Attributes:
        columns: the first is that of the rows' heads.
    """

    id: str
    heading: str
    columns: list[Column]
    rows: list[Row]

    @property
    def longest(self) -> int:
        """Characters of the longest head of a row."""
        return max((len(row.head.html.striptags()) for row in self.rows), default=0)


def part_of(name: str, heading: str, frame: pd.DataFrame) -> Part:
    """A data frame of text as the page shows it."""
    names = list(map(str, frame.columns))
    lines = [list(map(str, line)) for line in frame.itertuples(index=False, name=None)]
    leading = 2 if tuple(names[:2]) in HEADS else 1
    values = [[line[number] for line in lines] for number in range(len(names))]
    columns = [
        Column(text, markup.is_numeric(of) and text != VERDICT, text.startswith(PUBLISHED))
        for text, of in zip(names, values, strict=True)
    ]
    head = Column(", ".join(names[:leading]), leading == 1 and columns[0].numeric, False)
    columns = [head, *columns[leading:]]
    rows: list[Row] = []
    above: list[str] = []
    for line in lines:
        again = [False] * len(line)
        if not any(line[:leading]) and above:
            again = [not text for text in line]
            line = [text or before for text, before in zip(line, above, strict=True)]
        above = line
        cells = [
            _cell(text, column, repeated)
            for text, column, repeated in zip(
                line[leading:], columns[1:], again[leading:], strict=True
            )
        ]
        rows.append(Row(_head(line[:leading], columns[0], again[0]), cells))
    return Part(markup.slug(name, heading), heading, columns, rows)


def _head(texts: list[str], column: Column, again: bool) -> Cell:
    first, *more = texts
    html = markup.cell(first)
    if more:
        named = Markup('<span class="id">{}</span> ').format(html) if first else Markup()
        html = named + markup.cell(more[0])
    return Cell(html, _key(first, column), "again" if again else "")


def _cell(text: str, column: Column, again: bool) -> Cell:
    classes = [
        *["number"] * column.numeric,
        *["published"] * column.published,
        *["empty"] * markup.is_empty(text),
        *["again"] * again,
    ]
    html = verdict(text) if column.text == VERDICT else markup.cell(text)
    return Cell(html, _key(text, column), " ".join(classes))


def _key(text: str, column: Column) -> str:
    found = markup.number(text) if column.numeric else None
    return "" if found is None else f"{found:g}"


def verdict(text: str) -> Markup:
    """A verdict with its kind marked; a mixed one as it is."""
    text = text.removeprefix("**").removesuffix("**")
    kind = verdicts.kind_of(text)
    if kind not in MARKED:
        return escape(text)
    reason = text.partition(": ")[2]
    mark = Markup('<span class="kind {}">{}</span>').format(markup.name_class(kind), kind)
    return mark + Markup(" {}").format(reason) if reason else mark
