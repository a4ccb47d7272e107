"""Spreadthesign, the paper's pretraining corpus, from the user's own copy.

Decisions
* A clip's id is its row in the CSV, because the paper's split is one of row numbers: all rows are
  shuffled (seed 3407, 1 % validation, 1 % test) and only then the English ones taken (facts 5).
* Rows in other spoken languages are listed as dropped, so that nothing disappears silently.

Cost: half a minute and 0.8 GB for 600,000 rows.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, inside, named_rows, row, shuffled_split

NAME = "spreadthesign"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

TABLE = "SperadTheSign.csv"  # as its owners spell it
POSES = "sign-mt-poses"
COLUMNS = ("pose", "videoLanguage", "language", "text")
SPOKEN_LANGUAGE = "en"
_PERCENT = 1


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds the table."""
    return path if path is not None and (path / TABLE).is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(English rows, the others) in the order of the table.

    Raises:
        ManifestError: the table is damaged, or a path leaves the folder.
    """
    table = list(named_rows(root / TABLE, COLUMNS))
    split = shuffled_split(range(len(table)), _PERCENT)
    kept: list[Row] = []
    refused: list[Refused] = []
    for number, (place, fields) in enumerate(table):
        path = inside(root, f"{POSES}/{fields['pose']}", sample=place)
        reason = ""
        if fields["language"] != SPOKEN_LANGUAGE:
            reason = f"text in {fields['language'] or 'no language'}; the corpus is the English one"
        elif not fields["text"].strip():
            reason = "empty text"
        if reason:
            refused.append({"id": str(number), "path": path, "reason": reason})
            continue
        kept.append(
            row(
                str(number),
                path,
                fields["text"],
                sign_language=fields["videoLanguage"],
                split=split[number],
            )
        )
    return kept, refused
