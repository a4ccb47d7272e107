"""Kaggle asl-signs: landmarks in Parquet files, read by :mod:`signclip.poses.reader`.

Decision: the paper's split, which takes the sequences in the order of the table, shuffled with seed
3407, 5/5/90 %. It shares signers. Cost: one small table.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import named_rows, row, shuffled_split

TABLE = "train.csv"
COLUMNS = ("path", "participant_id", "sequence_id", "sign")
_PERCENT = 5


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All sequences in the order of train.csv."""
    table = [fields for _, fields in named_rows(root / TABLE, COLUMNS)]
    split = shuffled_split([fields["sequence_id"] for fields in table], _PERCENT)
    return [
        row(
            fields["sequence_id"],
            fields["path"],
            fields["sign"],
            signer=fields["participant_id"],
            split=split[fields["sequence_id"]],
        )
        for fields in table
    ], []


LOADER = Loader(name="asl-signs", needs=(TABLE, "train_landmark_files"), rows=rows)
