"""The Sem-Lex Benchmark: arrays of landmarks, read by :mod:`signclip.poses.reader`.

Decision: columns are taken by position, as the reference does; its ids are not unique, so a clip's
id is ``<row>_<id>``, the reference's way too. Cost: one table.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, inside, official_split, plain_rows, row

NAME = "sem-lex"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

TABLE = "sem-lex-metadata.csv"


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds the table."""
    return path if path is not None and (path / TABLE).is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows) in the order of the table.

    Raises:
        ManifestError: the table is damaged, a split is unknown, or a path leaves the folder.
    """
    kept: list[Row] = []
    for number, (place, fields) in enumerate(plain_rows(root / TABLE, 7)):
        original, file, signer, _duration, side, _kind, label = fields[:7]
        split = official_split(side, sample=place)
        path = inside(root, f"{side}/{file}.npy", sample=place)
        kept.append(row(f"{number}_{original}", path, label, signer=signer, split=split))
    return kept, []
