"""The Sem-Lex Benchmark: arrays of landmarks, read by :mod:`signclip.poses.reader`.

Decision: columns are taken by position, as in the authors' code; the ids of the table are not
unique, so the id of a clip is ``<row>_<id>``, also as in their code. Cost: one table.
"""

from __future__ import annotations

import re
from pathlib import Path

from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import official_split, plain_rows, row

TABLE = "sem-lex-metadata.csv"


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of the table."""
    kept: list[Row] = []
    for number, (place, fields) in enumerate(plain_rows(root / TABLE, 7)):
        original, file, signer, _duration, subset, _kind, label = fields[:7]
        split = official_split(subset, sample=place)
        path = f"{subset}/{file}.npy"
        kept.append(row(f"{number}_{original}", path, label, signer=signer, split=split))
    return kept, []


def clean_gloss(gloss: str) -> str:
    """Without a final ``_<number>``, underscores as spaces: ice_cream_2 -> ice cream."""
    return re.sub(r"_\d+$", "", gloss.strip()).replace("_", " ").strip()


LOADER = Loader(name="sem-lex", needs=(TABLE,), rows=rows, clean_gloss=clean_gloss)
