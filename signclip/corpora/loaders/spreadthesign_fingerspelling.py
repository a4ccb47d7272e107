"""The embedded corpus: fingerspelling of 19 sign languages, in the package ``spoken-to-signed``.

600 MediaPipe Holistic poses, by their names filmed for Spreadthesign (Swiss German, ``sgg``,
apart), appearance removed, one clip a (sign language, letter). Decisions: the 26 rows that list the
American files again as French are dropped (they would leak across every split); a clip's id is
``<tag>-<letter>``; who signs is not recorded, so ``signer`` is empty. Cost: nothing is copied, the
files are read from the installed package.
"""

from __future__ import annotations

import csv
import importlib.util
import unicodedata
from pathlib import Path

from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, row
from signclip.text import label

NAME = "spreadthesign-fingerspelling"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

COPIED = {"fsl": "ase"}  # rows of the former name the files of the latter


def find(path: Path | None = None) -> Path | None:
    """The lexicon's folder: ``path``, or the one in the installed package."""
    if path is None:
        spec = importlib.util.find_spec("spoken_to_signed")  # does not import the package
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(next(iter(spec.submodule_search_locations)), "assets", "fingerspelling_lexicon")
    return path if (path / "index.csv").is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, refused rows) in the order of the lexicon's index."""
    kept, refused = [], []
    with open(root / "index.csv", encoding="utf-8", newline="") as file:
        for entry in csv.DictReader(file):
            tag, text = entry["signed_language"], unicodedata.normalize("NFC", entry["words"])
            clip = f"{tag}-{label(text)}"
            if tag in COPIED:
                reason = f"copy: the index lists the {COPIED[tag]} file again as {tag}"
                refused.append({"id": clip, "path": entry["path"], "reason": reason})
                continue
            spoken = entry["spoken_language"]
            kept.append(row(clip, entry["path"], text, sign_language=tag, spoken_language=spoken))
    return kept, refused
