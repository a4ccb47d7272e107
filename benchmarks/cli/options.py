"""Options and checks that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

EMBEDDED = "spreadthesign-fingerspelling"
LOCAL = "local"  # the group of results that commands typed by hand write
SPLITS, SEEDS = ["letters"], [0]  # the defaults of options that may be repeated

Corpus = Annotated[str, typer.Option(help="Name of the corpus's folder below data/.")]
Profile = Annotated[
    str,
    typer.Option(
        help="A profile of params.yaml: cpu, paper or smoke.",
        callback=lambda profile: known_profile(profile),  # defined below
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the runs.")]
Jobs = Annotated[
    int, typer.Option(help="Runs that are trained side by side; with evaluate --plan, encoders.")
]
Splits = Annotated[list[str], typer.Option("--split", help="A split of the corpus; repeatable.")]
Seeds = Annotated[
    list[int],
    typer.Option("--seed", help="Seed of the runs; repeatable: several seeds are one measurement."),
]
Without = Annotated[list[str] | None, typer.Option(help="A row or suite to leave out; repeatable.")]
Runs = Annotated[
    Path, typer.Option(help="Folder of the runs, or of one folder a stage with runs in it.")
]
Group = Annotated[
    str,
    typer.Option(
        help="Group of results to write: results/leaderboard/GROUP, predictions/GROUP. The "
        "groups `repro` and `full` belong to `make repro` and `make full`."
    ),
]
Publish = Annotated[
    bool,
    typer.Option(
        "--publish",
        help="Replace results that are there, as the pipeline does. Otherwise none is replaced.",
    ),
]
Revision = Annotated[str | None, typer.Option(help="Revision of the result. Default: the profile.")]


def known_profile(name: str) -> str:
    """A profile of the project in the current folder.

    Raises:
        ConfigError: it has no such profile; the results of one would be none at all.
    """
    from signclip.experiments.table import profile_recipes

    params = Workspace().params
    if params.is_file():  # what else is missing elsewhere is for the command to say
        profile_recipes(params, name)
    return name


def check_kept(folder: Path, publish: bool) -> None:
    """Refuse to replace the results of a folder, before anything is measured.

    Raises:
        ConfigError: it holds some, and they are not to be replaced.
    """
    if not publish and any(folder.rglob("*.json")):
        raise ConfigError(
            f"{folder}: holds results; --publish replaces them (the pipeline does, see dvc.yaml)"
        )


def folder_name(name: str) -> str:
    """A name that becomes a folder below results/.

    Raises:
        BadParameter: it is not one, or leads out of there.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name) or set(name) == {"."}:
        raise typer.BadParameter(f"{name!r}: a name has letters, digits, dots, - and _ only")
    return name


def unique(values: list) -> list:
    return list(dict.fromkeys(values))
