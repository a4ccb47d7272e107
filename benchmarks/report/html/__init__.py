"""The report page: one self-contained HTML file with the verdict, every table and every figure.

Decisions
* Nothing is loaded: style, script and pictures stand in the file, and its content security policy
  forbids the rest. It can be read from a disk, a mail or an archive.
* The page says what the tables and figures say, from the same objects; it computes counts only.
* Equal results give equal bytes: no date, host or path, and costs come from the result files.
* The script only sorts tables and folds parts; without it everything can be read.

Cost: seconds, most of it for pictures; a megabyte or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from benchmarks.report import provenance
from benchmarks.report.drawing import Drawn
from benchmarks.report.html import markup, origins, svg, verdict
from benchmarks.report.html.origins import Origin
from benchmarks.report.html.tables import Part, part_of
from benchmarks.report.page import SUFFIXES, TEMPLATES, Rendered, environment_of
from benchmarks.results import Result
from benchmarks.source import Source
from signclip.corpora.catalogue import About, catalogue

# What the paper has, in its order; whatever else there is follows by name
PAPER_TABLES = (
    *("representations", "datasets", "fingerclip", "pretraining", "test_time", "recognition"),
    *("identification", "embedding_space", "claims"),
)
MORE_TABLES = ("beyond", "breakdown")
PAPER_FIGURES = (
    *("method", "latent_space", "letter_strips", "alphabet"),
    *("language_distribution", "length_distribution", "concept_distribution"),
)
PICTURES = ("svg", "pdf", "png", "csv", "json")
SHRINK, GROW = 0.9, 1.5  # of a figure's natural size in CSS pixels: at least, at most
PIXELS_A_POINT = 96 / 72


@dataclass(frozen=True)
class Item:
    """A table or figure on the page.

    Attributes:
        name: of its module and files.
        id: its anchor.
        links: label -> address of its files, from the page.
        parts: of a table.
        notes: of a table, as HTML.
        picture: of a figure, with the least and the greatest width in pixels.
    """

    name: str
    id: str
    title: str
    command: str
    origin: Origin
    links: dict[str, str]
    parts: Sequence[Part] = ()
    notes: Markup | str = ""
    caption: str = ""
    picture: Markup | str = ""
    widths: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Section:
    """A chapter of tables or figures; ``folded``: only the first part of each is open."""

    id: str
    title: str
    items: list[Item]
    folded: bool = False


def page_of(
    tables: Sequence[Rendered], figures: Sequence[Drawn], source: Source, written: Path
) -> str:
    """The text of the page.

    Args:
        written: the folder that the tables were written to.

    Raises:
        ConfigError: a picture is damaged.
    """
    shown = _distinct(
        result
        for of in (
            *(of_table(one) for one in tables),
            *(one.drawing.shown for one in figures),
        )
        for result in of
    )
    measured = {  # a cell without a result was counted
        one.table.name: {cell for cell, found in one.page.cells.items() if found} for one in tables
    }
    titles = {one.table.name: one.title for one in tables}
    corpora = sorted({result.corpus for result in shown} | {source.corpus})
    return _template().render(
        verdict=verdict.verdict_of(written, titles, measured),
        chapters=_chapters(list(map(table_item, tables)), list(map(figure_item, figures))),
        origin=origins.origin_of(shown),
        totals=_part("totals", origins.totals(shown)),
        costs=_part("costs", origins.costs(shown)),
        corpora={name: _about(name) for name in corpora},
        profile=source.profile,
        corpus=source.corpus,
        style=_raw("report.css"),
        script=_raw("report.js"),
    )


def of_table(rendered: Rendered) -> list[Result]:
    """The results that a table shows or is computed from."""
    of_cells = [result for found in rendered.page.cells.values() for result in found]
    return _distinct([*rendered.page.shown, *of_cells])


def table_item(rendered: Rendered) -> Item:
    """A table on the page."""
    name = rendered.table.name
    anchor = markup.slug("table", name)
    links = {suffix.upper(): f"../tables/{name}.{suffix}" for suffix in SUFFIXES}
    if rendered.page.shown:
        links["costs"] = f"../costs/{name}.csv"
    return Item(
        name,
        anchor,
        rendered.title,
        rendered.made_by,
        origins.origin_of(of_table(rendered), rendered.page.points),
        links,
        parts=[part_of(anchor, *part) for part in rendered.page.parts.items()],
        notes=markup.markdown(rendered.notes),
    )


def figure_item(drawn: Drawn) -> Item:
    """A figure on the page."""
    name, title = drawn.figure.name, drawn.figure.title
    anchor = markup.slug("figure", name)
    picture = svg.inline(anchor, drawn.pictures["svg"], title, drawn.drawing.caption)
    pixels = picture.width * PIXELS_A_POINT
    return Item(
        name,
        anchor,
        title,
        drawn.made_by,
        origins.origin_of(drawn.drawing.shown, drawn.drawing.points),
        {suffix.upper(): f"../figures/{name}.{suffix}" for suffix in PICTURES},
        caption=drawn.drawing.caption,
        picture=picture.html,
        widths=(round(SHRINK * pixels), round(GROW * pixels)),
    )


def _chapters(tables: list[Item], figures: list[Item]) -> list[Section]:
    """Tables and figures in their order; a chapter without any is left out."""
    of_paper, more = _split(_ordered(tables, PAPER_TABLES + MORE_TABLES), PAPER_TABLES)
    drawn, other = _split(_ordered(figures, PAPER_FIGURES), PAPER_FIGURES)
    chapters = [
        Section("tables", "Tables of the paper", of_paper),
        Section("more-tables", "Tables beyond the paper", more, folded=True),
        Section("figures", "Figures of the paper", drawn),
        Section("more-figures", "Figures of the results", other),
    ]
    return [chapter for chapter in chapters if chapter.items]


def _ordered(items: Iterable[Item], first: Sequence[str]) -> list[Item]:
    def place(item: Item) -> tuple[int, str]:
        return first.index(item.name) if item.name in first else len(first), item.name

    return sorted(items, key=place)


def _split(items: Iterable[Item], names: Sequence[str]) -> tuple[list[Item], list[Item]]:
    items = list(items)
    here = [item for item in items if item.name in names]
    return here, [item for item in items if item.name not in names]


def _part(name: str, frame: Any) -> Part | None:
    return None if frame.empty else part_of("numbers", name, frame)


def _about(corpus: str) -> About | None:
    """The entry of a corpus in the catalogue; a local corpus has none."""
    return catalogue().get(corpus)


def _distinct(results: Iterable[Result]) -> list[Result]:
    return list({provenance.key(result): result for result in results}.values())


def _raw(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


@cache
def _template() -> jinja2.Template:
    return environment_of(TEMPLATES, autoescape=True).get_template("report.html.j2")
