"""The embedded corpus: fingerspelling of 19 sign languages, in the package ``spoken-to-signed``.

600 MediaPipe Holistic poses with the appearance removed, one clip per (sign language, letter); by
their file names filmed for Spreadthesign, except Swiss German (``sgg``).

Decisions
* The 26 rows that list the American files again as French are dropped, because they would leak
  across every split.
* The id of a clip is ``<tag>-<letter>``; signers are not recorded, so ``signer`` is empty.
* Nothing is copied: the files are read from the installed package.

Cost: one small table.
"""

from __future__ import annotations

import csv
import importlib.util
import unicodedata
from pathlib import Path

from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import row
from signclip.text import label

TABLE = "index.csv"
COPIED = {"fsl": "ase"}  # rows of the first language name the files of the second


def installed() -> Path | None:
    """The folder of the lexicon in the installed package."""
    spec = importlib.util.find_spec("spoken_to_signed")  # does not import the package
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)), "assets", "fingerspelling_lexicon")


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """The clips and the copied rows, in the order of the index."""
    kept: list[Row] = []
    refused: list[Refused] = []
    with open(root / TABLE, encoding="utf-8", newline="") as file:
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


LOADER = Loader(name="spreadthesign-fingerspelling", needs=(TABLE,), rows=rows, installed=installed)
