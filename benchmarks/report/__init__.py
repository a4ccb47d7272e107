"""The report: tables, figures and pages, all functions of results and plotted points.

Decisions
* A table is one module of :mod:`benchmarks.report.tables`, a figure one of
  :mod:`benchmarks.report.figures`, a page about a transfer corpus one of
  :mod:`benchmarks.report.transfer`. New modules are discovered; no list names them. A module is
  named like its table.
* :func:`write_all` owns ``results/{tables,figures,costs,report}`` as whole folders: each is
  replaced by a new one when everything has been written, so an error leaves the old ones, and what
  is no longer made disappears. Each table and figure is built once, for its files and for the page
  (:mod:`benchmarks.report.html`).

Cost: importing this package imports no table; :func:`write_all` takes half a minute.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

if TYPE_CHECKING:
    from benchmarks.source import Source

TABLES, FIGURES, COSTS, REPORT = "tables", "figures", "costs", "report"  # folders below results/
TRANSFER = "transfer"  # another, with one folder per corpus, and what its groups begin with


def table_names() -> list[str]:
    """The tables, in alphabetical order."""
    return _names(TABLES)


def figure_names() -> list[str]:
    """The figures, in alphabetical order."""
    return _names(FIGURES)


def _names(package: str) -> list[str]:
    folder = Path(__file__).parent / package
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def _find(package: str, name: str, attribute: str) -> Any:
    if name not in _names(package):
        raise ConfigError(f"unknown name {name!r}; there are {', '.join(_names(package))}")
    found = getattr(importlib.import_module(f"{__name__}.{package}.{name}"), attribute)
    if found.name != name:
        raise ConfigError(f"{package}/{name}.py holds {found.name!r}; name it as its module")
    return found


def title_of(package: str, name: str) -> str:
    """What a table or figure shows.

    Args:
        package: :data:`TABLES` or :data:`FIGURES`.
    """
    return str(_find(package, name, package.upper().rstrip("S")).title)


def write_table(
    name: str,
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    seed: int,
    out: Path | None = None,
) -> Path:
    """Write one table; returns the path of the Markdown file.

    Args:
        out: the folder in the place of ``results/``.

    Raises:
        SignCLIPError: there is no such table, or an input is missing or invalid.
    """
    out = out or workspace.results
    with files.writing(out / TABLES):
        _write_table(name, source_of(workspace, profile=profile, corpus=corpus, seed=seed), out)
    return out / TABLES / f"{name}.md"


def write_figure(
    name: str,
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    seed: int,
    out: Path | None = None,
) -> list[Path]:
    """Draw one figure; returns the paths.

    Args:
        out: the folder in the place of ``results/``.

    Raises:
        SignCLIPError: there is no such figure, or an input is missing or invalid.
    """
    out = out or workspace.results
    with files.writing(out / FIGURES):
        source = source_of(workspace, profile=profile, corpus=corpus, seed=seed)
        return _write_figure(name, source, out)


def write_all(
    workspace: Workspace, *, profile: str, corpus: str, seed: int, out: Path | None = None
) -> list[Path]:
    """Write every table and figure, and the page of all of them; returns the paths.

    Args:
        out: the folder in the place of ``results/``.

    Raises:
        SignCLIPError: an input is damaged.
    """
    from benchmarks.report import drawing, html, page

    source = source_of(workspace, profile=profile, corpus=corpus, seed=seed)
    out = out or workspace.results
    with ExitStack() as stack:
        folders = {}
        for name in (TABLES, FIGURES, COSTS, REPORT):
            stack.enter_context(files.writing(out / name))
            folders[name] = stack.enter_context(files.atomic_folder(out / name))
        tables = [page.render(_find(TABLES, name, "TABLE"), source) for name in table_names()]
        paths = []
        for table in tables:
            paths += table.save(folders[TABLES], folders[COSTS] / f"{table.table.name}.csv")
        figures = [drawing.draw(_find(FIGURES, name, "FIGURE"), source) for name in figure_names()]
        for figure in figures:
            paths += figure.save(folders[FIGURES], folders[COSTS])
        paths.append(folders[REPORT] / "index.html")
        files.write_text(paths[-1], html.page_of(tables, figures, source, folders[TABLES]))
        files.record_digests(paths[-1:])
    written = {folder: out / name for name, folder in folders.items()}
    return [written[path.parent] / path.name for path in paths]


def write_transfer(workspace: Workspace, *, profile: str, corpus: str, run: str) -> list[Path]:
    """Write the pages of a transfer corpus to ``results/transfer/<corpus>/``; returns the paths.

    Args:
        run: the name of the pretrained runs that were evaluated on it.

    Raises:
        SignCLIPError: there are no results or predictions, or one is invalid.
    """
    from benchmarks.report import page
    from benchmarks.source import Source

    source = Source(workspace, profile, corpus, group=f"{TRANSFER}-{corpus}", run=run)
    out = workspace.results / TRANSFER / corpus
    paths = []
    with files.writing(out), files.atomic_folder(out) as partial:
        for name in _names(TRANSFER):
            table = _find(TRANSFER, name, "TABLE")
            command = f"signbench transfer {corpus}"
            paths += page.write(table, source, partial, partial / f"{COSTS}.csv", command)
    return [out / path.name for path in paths]


def source_of(workspace: Workspace, *, profile: str, corpus: str, seed: int = 0) -> Source:
    """What the tables and figures of the pipeline read from."""
    from benchmarks.source import Source

    return Source(workspace, profile, corpus, seed)


def _write_table(name: str, source: Source, out: Path) -> list[Path]:
    from benchmarks.report import page

    table = _find(TABLES, name, "TABLE")
    return page.write(table, source, out / TABLES, out / COSTS / f"{name}.csv")


def _write_figure(name: str, source: Source, out: Path) -> list[Path]:
    from benchmarks.report import drawing

    figure = _find(FIGURES, name, "FIGURE")
    return drawing.write(figure, source, out / FIGURES, out / COSTS)
