"""The command ``signclip verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from signclip.cli.options import DEFAULT
from signclip.core.errors import ConfigError

app = typer.Typer()


@app.command()
def verify(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Default: data, features, runs, embeddings, predictions and results."),
    ] = None,
) -> None:
    """Hash everything that the pipeline wrote again and name the files that changed.

    Example: `signclip verify features runs`
    """
    from signclip.core.verify import verify as check

    for folder in folders or []:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder")
    usual = (
        *(DEFAULT.data, DEFAULT.features, DEFAULT.runs),
        *(DEFAULT.embeddings, DEFAULT.predictions, DEFAULT.results),
    )
    checked, damaged = check(folders or [folder for folder in usual if folder.is_dir()])
    for problem in damaged:
        typer.echo(f"damaged: {problem}", err=True)
    typer.echo(f"{checked} artefacts checked, {len(damaged)} damaged")
    if damaged or not checked:
        raise typer.Exit(1)
