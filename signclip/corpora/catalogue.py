"""What is known about each corpus: licence, citation, expected counts, defects, how to get it.

Decision: the facts are data in ``catalogue.yaml``, validated when they are read (an unknown or a
missing field is an error), so commands and corpus cards show the same text. Cost: 20 ms, once.
"""

from __future__ import annotations

import shlex
from functools import cache
from importlib import resources
from pathlib import Path

import yaml

from signclip.core.config import Strict, checked
from signclip.core.errors import ConfigError

NOT_KNOWN = "not known"


class Download(Strict):
    """A file that can be downloaded without a form."""

    name: str
    url: str
    file: str  # its name in the folder of the corpus
    unpack: bool  # True: an archive whose content belongs into that folder
    sha256: str | None  # as published; None: no checksum is published
    holds: str


class Counts(Strict):
    """Size of a complete copy, as published; None: not known."""

    clips: int | None
    languages: int | None
    signers: int | None
    labels: int | None

    def text(self, field: str) -> str:
        """One count as printed."""
        number = getattr(self, field)
        return NOT_KNOWN if number is None else f"{number:,}"


class About(Strict):
    """One entry of the catalogue; its name is that of the loader."""

    name: str
    title: str
    sign_languages: tuple[str, ...]  # tags of signclip/text/languages.csv; empty: any
    licence: str
    licence_source: str
    homepage: str
    citation: str
    expected: Counts
    expected_source: str
    layout: str
    splits: str
    steps: str  # what the user has to do by hand, after the downloads; may be empty
    defects: tuple[str, ...]
    downloads: tuple[Download, ...]
    installed: bool = False  # comes with a Python package, so no path has to be registered
    any_name: bool = False  # a layout for corpora of any name

    def instructions(self, fetched: Path | None = None) -> str:
        """How to get the corpus, step by step, ending with the command that registers it.

        Args:
            fetched: the folder that its downloads are in already.
        """
        folder = "FOLDER" if fetched is None else shlex.quote(str(fetched))
        lines = []
        if self.downloads and fetched is None:
            files = " and ".join(download.holds for download in self.downloads)
            lines.append(
                f"`signclip corpora fetch {self.name} --to FOLDER` downloads {files} (read the "
                "licence first)."
            )
        if self.steps:
            lines.append(self.steps.replace("FOLDER", folder))
        if not self.installed:
            name = "NAME" if self.any_name else self.name
            lines.append(f"Then register the folder: `signclip corpora enable {name} {folder}`.")
        return " ".join(lines)


@cache
def catalogue() -> dict[str, About]:
    """All entries by name, in the order of the file.

    Raises:
        ConfigError: a field is unknown, missing or of the wrong type.
    """
    text = resources.files("signclip.corpora").joinpath("catalogue.yaml").read_text("utf-8")
    return {
        name: checked(About, f"catalogue.yaml, {name}", values, name=name)
        for name, values in yaml.safe_load(text).items()
    }


def about(name: str) -> About:
    """The entry of a corpus.

    Raises:
        ConfigError: there is none.
    """
    if name not in catalogue():
        raise ConfigError(f"catalogue.yaml has no entry {name!r}")
    return catalogue()[name]
