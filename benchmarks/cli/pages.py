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


@app.command(hidden=True)
def paper(
    name: Annotated[str, typer.Argument(help="Name of a table.")] = "fingerclip",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
) -> None:
    """The same as `signbench table`, its former name.

    Example: signbench paper pretraining
    """
    table(name, profile=profile, corpus=corpus, seed=seed, list_=False)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(help="Name of a figure; --list shows them.")] = "",
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
) -> None:
    """Draw one figure (PDF, PNG and the plotted numbers as CSV).

    Example: signbench figure ablation
    """
    from benchmarks import report

    if list_ or not name:
        typer.echo("\n".join(report.figure_names()))
        return
    where = dict(profile=profile, corpus=corpus, seed=seed)
    for path in report.write_figure(name, Workspace(), **where):
        typer.echo(path)


@app.command("report")
def report_(
    profile: Profile = "cpu",
    corpus: Corpus = EMBEDDED,
    seed: Seed = 0,
) -> None:
    """Write every table and figure.

    Example: signbench report
    """
    from benchmarks import report

    for path in report.write_all(Workspace(), profile=profile, corpus=corpus, seed=seed):
        typer.echo(path)
