"""The registry of sign-language tags.

Decisions
* The tags are those that the paper's model was trained with (``languages.csv``: the 41 sign
  languages of Spreadthesign's English part, with the clip counts of the paper's data statistics),
  plus ``sgg``.
* To a tokenizer a tag is a sequence of ordinary word pieces, so a wrong tag would pass unnoticed.
  Unknown tags are therefore refused, and the error suggests similar ones.

Cost: one small CSV file, read once a process.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from signclip.core.errors import LanguageTagError


@dataclass(frozen=True)
class SignLanguage:
    """One row of the tag registry."""

    tag: str  # as in prompts and manifests: an ISO 639-3 code, or rsl-by / gss-cy
    iso639_3: str
    name: str
    in_pretraining: bool  # one of the 41 tags of the paper's pretraining
    pretraining_clips: int  # clips in the English part of Spreadthesign


@cache
def sign_languages() -> dict[str, SignLanguage]:
    """The registry, tag -> row, by descending number of pretraining clips."""
    table = resources.files("signclip.text").joinpath("languages.csv").read_text(encoding="utf-8")
    return {
        row["tag"]: SignLanguage(
            row["tag"],
            row["iso639_3"],
            row["name"],
            row["in_pretraining"] == "yes",
            int(row["pretraining_clips"]),
        )
        for row in csv.DictReader(table.splitlines())
    }


# Common wrong tags: national abbreviations, and ISO codes of other languages that look like them.
# They are used for suggestions only; no tag is ever translated silently.
_ALIASES = {"lis": "ise", "asl": "ase", "bsl": "bfi", "dgs": "gsg", "lsf": "fsl", "libras": "bzs"}


def sign_language(tag: str) -> SignLanguage:
    """Look up a tag.

    Raises:
        LanguageTagError: the tag is not in the registry; the message suggests similar tags.
    """
    registry = sign_languages()
    if tag in registry:
        return registry[tag]
    near = [_ALIASES[tag.casefold()]] if tag.casefold() in _ALIASES else []
    near += [
        row.tag
        for row in registry.values()
        if len(tag) > 3 and tag.casefold() in row.name.casefold()
    ]
    near += difflib.get_close_matches(tag.casefold(), registry, n=3, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4]
    hint = (
        "; did you mean " + " or ".join(f"{t} ({registry[t].name})" for t in near) if near else ""
    )
    raise LanguageTagError(f"unknown sign-language tag {tag!r}{hint}")
