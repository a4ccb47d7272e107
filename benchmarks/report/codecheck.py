"""``codecheck.yml``: what a reproduction of this repository has to bring back.

Decisions
* The manifest of CODECHECK (codecheck.org.uk), version 1.0: the paper, and each output with a
  comment. Outputs are the CSV of every table, the PDF of every figure, and the report page.
* It is made from the modules of the report and from ``CITATION.cff``, so it cannot list what is not
  made. No stage writes it: ``python -m benchmarks.report.codecheck`` does, and a test tells when it
  is due.

Cost: a second, for importing figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
import yaml

from benchmarks import report
from signclip.core import files

FILE = "codecheck.yml"
VERSION = "https://codecheck.org.uk/spec/config/1.0/"
HEAD = "# Written by `python -m benchmarks.report.codecheck`; edit that module.\n"


def manifest() -> list[dict[str, str]]:
    """The outputs: path from the repository's root, and what it is."""
    outputs = [("report/index.html", "every table and figure on one page, with verdicts", "paper")]
    outputs += [
        (f"tables/{name}.csv", report.title_of(report.TABLES, name), f"table {name}")
        for name in report.table_names()
    ]
    outputs += [
        (f"figures/{name}.pdf", report.title_of(report.FIGURES, name), f"figure {name}")
        for name in report.figure_names()
    ]
    return [
        {"file": f"results/{path}", "comment": f"{title} (`signbench {command}`)"}
        for path, title, command in outputs
    ]


def text(citation: Path) -> str:
    """The text of ``codecheck.yml``.

    Args:
        citation: ``CITATION.cff``, which has the paper.
    """
    paper = yaml.safe_load(citation.read_text(encoding="utf-8"))["preferred-citation"]
    authors = [f"{one['given-names']} {one['family-names']}" for one in paper["authors"]]
    content: dict[str, Any] = {
        "version": VERSION,
        "paper": {
            "title": paper["title"],
            "authors": [{"name": name} for name in authors],
            "reference": paper["url"],
        },
        "manifest": manifest(),
    }
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return f"{HEAD}---\n{body}"


def main() -> None:
    """Write ``codecheck.yml`` in the current folder.

    Example: python -m benchmarks.report.codecheck
    """
    files.write_text(Path(FILE), text(Path("CITATION.cff")))
    typer.echo(FILE)


if __name__ == "__main__":
    typer.run(main)
