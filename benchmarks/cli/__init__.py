"""The command ``signbench`` (``python -m benchmarks``): train, evaluate, tabulate, draw.

Decision: each command is one DVC stage or one step of a user's work, with the same arguments; it
calls one function of the library. What it writes is a function of the files that it reads. Errors
that input can cause are one line on stderr and exit status 2.
"""

from __future__ import annotations

import os
import sys

import typer

from benchmarks.cli import corpora, measure, pages, studies, submissions
from signclip.core.errors import SignCLIPError, names_explained

app = typer.Typer(no_args_is_help=True, add_completion=False)
for _part in (measure, pages, corpora, studies, submissions):
    app.registered_commands += _part.app.registered_commands


@app.callback()
def _root() -> None:
    """The benchmark suite: training, evaluation, tables, figures. Run it in the repository.

    Example: signbench evaluate E3.2 --split letters
    """


def main() -> None:
    """Entry point."""
    # a dotted path (my_module:MyEncoder) is looked up in the current folder, as by `python -m`
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with names_explained():
            app()
    except SignCLIPError as error:
        typer.echo(f"signbench: {error}", err=True)
        sys.exit(2)
