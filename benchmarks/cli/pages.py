"""Commands that write tables and figures from results.

Decision: typed by hand they replace no result; see :mod:`signclip.core.publish`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import EMBEDDED, Corpus, Profile, Publish, Seed
from signclip.core import publish as publishing
from signclip.core.workspace import Workspace

app = typer.Typer()


def _written(make: Callable[[Path], Iterable[Path]], publish: bool) -> list[Path]:
    """What ``make`` writes, in its place below results/ or aside; the user is told."""
    written = publishing.write(Workspace().results, make, publish=publish)
    if written.kept:
        typer.echo(written.note(), err=True)
    return written.paths


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Name of a table; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the tables.")] = False,
    publish: Publish = False,
) -> None:
    """Write one table (CSV, Markdown, LaTeX) from results and print it.

    A table that is there and differs is kept; the new one is written below results/local.

    Example: signbench table pretraining
    """
    from benchmarks import report

    if list_ or not name:
        typer.echo("\n".join(report.table_names()))
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)

    def make(out: Path) -> list[Path]:
        return [report.write_table(name, Workspace(), **where, out=out)]

    (path,) = _written(make, publish)
    typer.echo(path.read_text(encoding="utf-8"))


@app.command()
def paper(
    name: Annotated[
        str, typer.Argument(help="Name of a table, to write this one only. Default: everything.")
    ] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    publish: Publish = False,
) -> None:
    """Write every table and figure of the paper with our numbers beside them, and the report page.

    From files that git tracks: results, statistics of corpora and plotted points. Nothing is
    trained or downloaded. If a file that is there differs, all are written below results/local.

    Example: signbench paper

    Example: signbench paper pretraining
    """
    from benchmarks import report

    if name:
        table(name, profile=profile, corpus=corpus, seed=seed, list_=False, publish=publish)
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)
    for path in _written(lambda out: report.write_all(Workspace(), **where, out=out), publish):
        typer.echo(path)


@app.command()
def why(
    name: Annotated[str, typer.Argument(help="A table or figure, e.g. pretraining.")],
    row: Annotated[str, typer.Argument(help="A row of the table, e.g. E7.2.")] = "",
    column: Annotated[str, typer.Argument(help="A column, e.g. 'tagged V2T_R@1'.")] = "",
) -> None:
    """Where a number comes from: result file, run, commit, data and the command that makes it.

    Example: signbench why pretraining E7.2 "tagged V2T_R@1"

    Example: signbench why ablation
    """
    from benchmarks.report import provenance

    typer.echo(provenance.why(Workspace(), name, row, column))


@app.command()
def points(
    name: Annotated[str, typer.Argument(help="Name of points; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the points.")] = False,
    publish: Publish = False,
) -> None:
    """Write what figures plot (results/points) from predictions, runs and features.

    If points that are there differ, the new ones are written below results/local.

    Example: signbench points

    Example: signbench points curves
    """
    from benchmarks import points as package

    where = dict(profile=profile, corpus=corpus, seed=seed)
    if list_:
        typer.echo("\n".join(package.names()))
        return

    def make(out: Path) -> list[Path]:
        folder = out / Workspace().points.name
        if name:
            return [package.write_one(name, Workspace(), **where, out=folder)]
        return package.write_all(Workspace(), **where, out=folder)

    for path in _written(make, publish):
        typer.echo(path)


@app.command()
def leaderboard(
    group: Annotated[
        list[str] | None,
        typer.Option(help="A group of results to show; repeatable. Default: all."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="A group of results to leave out; repeatable."),
    ] = None,
) -> None:
    """Write the leaderboard page, results/leaderboard/index.html, and its exports.

    From results and plotted points. The page is one file that opens without a server or network;
    CSV, Markdown, LaTeX, Every Eval Ever and the Hub's format lie in results/leaderboard-exports.

    Example: signbench leaderboard

    Example: signbench leaderboard --group repro --group submitted
    """
    from benchmarks.leaderboard import output as board

    for path in board.write(Workspace(), groups=group or None, without=without or ()):
        typer.echo(path)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(help="Name of a figure; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    publish: Publish = False,
) -> None:
    """Draw one figure (PDF, PNG, SVG and the plotted numbers as CSV).

    A figure that is there and differs is kept; the new one is drawn below results/local.

    Example: signbench figure ablation
    """
    from benchmarks import report

    if list_ or not name:
        typer.echo("\n".join(report.figure_names()))
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)
    for path in _written(
        lambda out: report.write_figure(name, Workspace(), **where, out=out), publish
    ):
        typer.echo(path)
