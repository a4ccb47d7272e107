"""Commands that write tables and figures from results."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.cli.options import EMBEDDED, Corpus, Profile, Seed
from signclip.core.workspace import Workspace

app = typer.Typer()


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Name of a table; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the tables.")] = False,
) -> None:
    """Write one table (CSV, Markdown, LaTeX) from results and print it.

    Example: signbench table pretraining
    """
    from benchmarks import report

    if list_ or not name:
        typer.echo("\n".join(report.table_names()))
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)
    typer.echo(report.write_table(name, Workspace(), **where).read_text(encoding="utf-8"))


@app.command()
def paper(
    name: Annotated[
        str, typer.Argument(help="Name of a table, to write this one only. Default: everything.")
    ] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
) -> None:
    """Write every table and figure of the paper with our numbers beside them, and the report page.

    From files that git tracks: results, statistics of corpora and plotted points. Nothing is
    trained or downloaded.

    Example: signbench paper

    Example: signbench paper pretraining
    """
    from benchmarks import report

    if name:
        table(name, profile=profile, corpus=corpus, seed=seed, list_=False)
        return
    for path in report.write_all(Workspace(), profile=profile, corpus=corpus, seed=seed):
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
) -> None:
    """Write what figures plot (results/points) from predictions, runs and features.

    Example: signbench points

    Example: signbench points curves
    """
    from benchmarks import points as package

    where = dict(profile=profile, corpus=corpus, seed=seed)
    if list_:
        typer.echo("\n".join(package.names()))
    elif name:
        typer.echo(package.write_one(name, Workspace(), **where))
    else:
        for path in package.write_all(Workspace(), **where):
            typer.echo(path)


@app.command()
def leaderboard(
    group: Annotated[
        list[str] | None,
        typer.Option(help="A group of results to show; repeatable. Default: all."),
    ] = None,
) -> None:
    """Write the leaderboard page, results/leaderboard/index.html, and its exports.

    From results and plotted points. The page is one file that opens without a server or network;
    CSV, Markdown, LaTeX, Every Eval Ever and the Hub's format lie in results/leaderboard-exports.

    Example: signbench leaderboard

    Example: signbench leaderboard --group repro --group submitted
    """
    from benchmarks import leaderboard as board

    for path in board.write(Workspace(), groups=group or None):
        typer.echo(path)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(help="Name of a figure; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
) -> None:
    """Draw one figure (PDF, PNG, SVG and the plotted numbers as CSV).

    Example: signbench figure ablation
    """
    from benchmarks import report

    if list_ or not name:
        typer.echo("\n".join(report.figure_names()))
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)
    for path in report.write_figure(name, Workspace(), **where):
        typer.echo(path)
