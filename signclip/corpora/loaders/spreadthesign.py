"""Spreadthesign, the paper's pretraining corpus, from a local copy.

Decisions
* The id of a clip is its row number in the CSV, because the paper splits row numbers: all rows are
  shuffled (seed 3407, 1 % validation, 1 % test), and only then are the English ones selected.
* Rows in other spoken languages are listed as dropped, so that none disappears silently.

Cost: half a minute and 0.8 GB for 600,000 rows.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import named_rows, row, shuffled_split

TABLE = "SperadTheSign.csv"  # as its owners spell it
POSES = "sign-mt-poses"
COLUMNS = ("pose", "videoLanguage", "language", "text")
SPOKEN_LANGUAGE = "en"
_PERCENT = 1


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """The English rows and the others, in the order of the table."""
    table = list(named_rows(root / TABLE, COLUMNS))
    split = shuffled_split(range(len(table)), _PERCENT)
    kept: list[Row] = []
    refused: list[Refused] = []
    for number, (_, fields) in enumerate(table):
        path = f"{POSES}/{fields['pose']}"
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


LOADER = Loader(name="spreadthesign", needs=(TABLE,), rows=rows)
