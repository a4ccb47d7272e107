"""What is known of each corpus: licence, citation, counts to expect, defects, how to get it.

Decision: data in ``catalogue.yaml``, checked when it is read (an unknown or missing field is an
error), so that commands and cards show the same and no number hides in code. Cost: 10 ms, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from signclip.core.errors import ConfigError

NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Download:
    """A file that can be had without a form."""

    name: str
    url: str
    file: str  # its name in the corpus's folder
    unpack: bool  # is it an archive whose content belongs into that folder?
    sha256: str | None  # as published; None: nobody publishes one
    holds: str


@dataclass(frozen=True)
class Counts:
    """How much a complete copy holds, as published; None: not known."""

    clips: int | None
    languages: int | None
    signers: int | None
    labels: int | None

    def text(self, what: str) -> str:
        """A count as printed."""
        number = getattr(self, what)
        return NOT_KNOWN if number is None else f"{number:,}"


@dataclass(frozen=True)
class About:
    """One entry of the catalogue."""

    title: str
    sign_languages: tuple[str, ...]  # tags of signclip/languages.csv; empty: the user's
    licence: str
    licence_source: str
    homepage: str
    citation: str
    expected: Counts
    expected_source: str
    layout: str
    splits: str
    instructions: str
    defects: tuple[str, ...]
    downloads: tuple[Download, ...]


@cache
def catalogue() -> dict[str, About]:
    """All entries by name.

    Raises:
        ConfigError: the file has an unknown field, or lacks one.
    """
    text = resources.files("signclip.corpora").joinpath("catalogue.yaml").read_text("utf-8")
    entries = {}
    for name, values in yaml.safe_load(text).items():
        try:
            entries[name] = About(
                **values
                | {
                    "sign_languages": tuple(values["sign_languages"]),
                    "expected": Counts(**values["expected"]),
                    "defects": tuple(values["defects"]),
                    "downloads": tuple(Download(**row) for row in values["downloads"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"catalogue.yaml, {name}: {error}") from None
    return entries


def about(name: str) -> About:
    """The entry of a corpus.

    Raises:
        ConfigError: there is none.
    """
    if name not in catalogue():
        raise ConfigError(f"catalogue.yaml has no entry {name!r}")
    return catalogue()[name]
