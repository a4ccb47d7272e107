"""A table and how it is written: CSV, Markdown with notes, LaTeX, and costs.

Decisions
* A table is one module of :mod:`benchmarks.report.tables` with a :class:`Table` named ``TABLE``. It
  turns a :class:`~benchmarks.source.Source` into a :class:`Page`: the frame of the CSV, the
  printed parts (data frames of text) and the variables of its notes.
* The notes are the jinja2 template ``templates/<table>.md.j2``; a table without one has no notes.
* Equal results give equal bytes: a page holds no date, time, host or commit. What a result has cost
  stands in a file of its own, ``costs/<table>.csv``, and where a number comes from in
  ``<table>.json`` (:mod:`benchmarks.report.provenance`).
* A result that is missing leaves its cells empty; below the notes stands which, and what makes it.
* Text is escaped for Markdown and LaTeX here only. A cell that is wholly between ``**`` is bold.

Cost: milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from benchmarks.report import provenance
from benchmarks.report.provenance import Cells
from benchmarks.results import Result
from benchmarks.source import Need, NoResults, Source
from signclip.core import files

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = ("csv", "md", "tex", "json")
COSTS_OF = ("group", "encoder", "revision", "corpus", "split")  # one row of the costs each

_BOLD = re.compile(r"\*\*(.+)\*\*")
# An underscore within a word is no markup in Markdown: in_domain stays readable.
_MARKDOWN = re.compile(r"[\\|<*`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclass(frozen=True)
class Page:
    """The content of a table.

    Attributes:
        frame: written as CSV.
        parts: heading -> printed part, all cells text.
        notes: variables of the notes template.
        shown: the results that the page shows, whose costs are listed; empty: no costs are.
        cells: (row, column) of the CSV -> the results that the cell is from.
        points: names of the points that the page shows.
        title: in place of the table's.
    """

    frame: pd.DataFrame
    parts: Mapping[str, pd.DataFrame]
    notes: Mapping[str, Any] = field(default_factory=dict)
    shown: Sequence[Result] = ()
    title: str = ""
    cells: Cells = field(default_factory=dict)
    points: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: of its module, template and files.
        needs: the results that it shows.
        build: makes the page.
        template: of its notes; by default that of its name.
    """

    name: str
    title: str
    needs: tuple[Need, ...]
    build: Callable[[Source], Page]
    template: str = ""


@dataclass(frozen=True)
class Rendered:
    """A table that was built, before anything is written.

    Attributes:
        notes: as Markdown.
        made_by: the command that writes it.
    """

    table: Table
    page: Page
    title: str
    notes: str
    made_by: str

    def texts(self) -> dict[str, str]:
        """Suffix -> the text of a file."""
        name, page = self.table.name, self.page
        return {
            "csv": page.frame.to_csv(index=False, lineterminator="\n", float_format="%.4f"),
            "md": markdown_page(self.title, page.parts, self.notes),
            "tex": latex_page(self.title, page.parts, name),
            "json": provenance.sidecar(
                self.title, self.made_by, page.shown, points=page.points, cells=page.cells
            ),
        }

    def save(self, folder: Path, costs: Path) -> list[Path]:
        """Write ``<folder>/<table>.{csv,md,tex,json}`` and the costs; returns the paths."""
        paths = []
        for suffix, text in self.texts().items():
            paths.append(folder / f"{self.table.name}.{suffix}")
            files.write_text(paths[-1], text)
        if self.page.shown:
            files.write_text(costs, costs_csv(self.page.shown))
            paths.append(costs)
        files.record_digests(paths)
        return paths


def render(table: Table, source: Source, made_by: str = "") -> Rendered:
    """Build a table.

    Args:
        made_by: the command that writes it; by default that of a table of ``results/tables``.

    Raises:
        SignCLIPError: an input is invalid.
    """
    try:
        page = table.build(source)
    except NoResults as error:
        page = Page(pd.DataFrame({"missing": [str(error)]}), {}, {"missing": str(error)})
    notes = render_notes(table.template or table.name, page.notes, missing(table, source))
    made_by = made_by or f"signbench table {table.name}"
    return Rendered(table, page, page.title or table.title, notes, made_by)


def write(table: Table, source: Source, folder: Path, costs: Path, made_by: str = "") -> list[Path]:
    """Build a table and write its files and costs; returns the paths. See :func:`render`."""
    return render(table, source, made_by).save(folder, costs)


def missing(table: Table, source: Source) -> dict[str, list[str]]:
    """Why results of a table are missing -> of which encoders."""
    found: dict[str, list[str]] = {}
    for need in table.needs:
        for name, reason in source.missing(need).items():
            found.setdefault(reason, []).append(name)
    return found


def markdown_text(text: str) -> str:
    """Text as Markdown shows it unchanged, also within a table."""
    bold = _BOLD.fullmatch(text)
    if bold:
        return f"**{markdown_text(bold[1])}**"
    return _MARKDOWN.sub(lambda found: "\\" + found[0], text)


def latex_text(text: str) -> str:
    """Text as LaTeX shows it unchanged."""
    bold = _BOLD.fullmatch(text)
    if bold:
        return rf"\textbf{{{latex_text(bold[1])}}}"
    return "".join(_LATEX.get(character, character) for character in text)


def markdown_table(part: pd.DataFrame) -> str:
    """A data frame of text as a Markdown table."""
    shown = part.map(markdown_text).rename(columns=markdown_text)
    return shown.to_markdown(index=False, disable_numparse=True)


def markdown_page(title: str, parts: Mapping[str, pd.DataFrame], notes: str) -> str:
    """Title, each part under its heading, and the notes."""
    blocks = [f"# {markdown_text(title)}"]
    for heading, part in parts.items():
        blocks += [f"## {markdown_text(heading)}", markdown_table(part)]
    if notes:
        blocks += ["## Notes", notes]
    return "\n\n".join(blocks) + "\n"


def latex_page(title: str, parts: Mapping[str, pd.DataFrame], label: str) -> str:
    """One ``table`` environment a part (needs ``booktabs``)."""
    tables = []
    for number, (heading, part) in enumerate(parts.items(), start=1):
        rows = [list(part.columns), *part.itertuples(index=False, name=None)]
        head, *body = (" & ".join(map(latex_text, row)) + r" \\" for row in rows)
        tables.append(
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{{latex_text(title)}. {latex_text(heading)}.}}",
                    rf"\label{{tab:{label}-{number}}}",
                    rf"\begin{{tabular}}{{{'l' * part.shape[1]}}}",
                    *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(tables) + "\n"


def environment_of(folder: Path, *, autoescape: bool = False) -> jinja2.Environment:
    """Templates of a folder, in which a missing variable is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _templates() -> jinja2.Environment:
    environment = environment_of(TEMPLATES)
    environment.filters["md"] = markdown_text
    return environment


def render_notes(
    name: str, variables: Mapping[str, Any], missing: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The notes of a table: ``templates/<name>.md.j2`` with its variables, then what is missing.

    Args:
        variables: with ``missing``, the reason why there is no table at all, the template is left
            out.
        missing: reason -> encoders.
    """
    lines = []
    if "missing" in variables:
        lines.append(f"- Nothing to show here: {markdown_text(variables['missing'])}.")
    elif (TEMPLATES / f"{name}.md.j2").is_file():
        lines.append(_templates().get_template(f"{name}.md.j2").render(**variables).strip())
    for reason, encoders in (missing or {}).items():
        lines.append(f"- Missing: {', '.join(encoders)}: {reason}.")
    return "\n".join(line for line in lines if line)


def costs_csv(shown: Sequence[Result]) -> str:
    """Costs as CSV: one row a group, encoder, revision, corpus and split.

    ``task`` is the first of the tasks that the table shows: all tasks of an encoder share its
    parameters and its training, but not what was timed.
    """
    rows = [
        {
            **{name: getattr(result, name) for name in COSTS_OF},
            "task": result.task,
            **result.cost.model_dump(),
            "hardware": result.hardware,
        }
        for result in shown
    ]
    costs = pd.DataFrame(rows).drop_duplicates(list(COSTS_OF))
    costs = costs.round({"training_seconds": 1, "evaluation_clips_per_second": 1})
    return costs.to_csv(index=False, lineterminator="\n")
