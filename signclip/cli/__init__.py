"""The command ``signclip``.

Decisions
* Every command is one call of the library with the same arguments, so a DVC stage, a shell and a
  script do the same thing.
* A command imports the library when it runs, so that ``signclip --help`` needs neither torch nor
  pandas.
* An error that input can cause is one line on stderr, and the exit status is 2.
"""

from __future__ import annotations

import sys
import time

import typer

from signclip.cli import corpora, embed, extract, pack, score, search, serve, train, verify
from signclip.core import torchrun
from signclip.core.errors import SignCLIPError, names_explained

_PATIENCE = 10.0  # seconds

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")
app.add_typer(corpora.app, name="corpora")
for module in (extract, pack, train, embed, score, search, serve, verify):
    app.add_typer(module.app)


@app.callback()
def _root() -> None:
    """SignCLIP: embeddings of sign-language poses and text.

    Corpora, features, training, use of a model, checks.

    Example: `signclip corpora`
    """


def main() -> None:
    """Entry point."""
    try:
        with names_explained():
            app()
    except SignCLIPError as error:
        if torchrun.is_main_process() or error.of_one_process:
            typer.echo(f"signclip: {error}", err=True)
        else:  # torchrun ends all processes with the first one: let the main one say it
            time.sleep(_PATIENCE)
        sys.exit(2)
