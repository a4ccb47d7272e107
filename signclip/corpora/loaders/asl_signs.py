"""Kaggle asl-signs: landmarks in Parquet files, read by :mod:`signclip.poses.reader`.

Decision: the paper's split, sequences in the table's order, shuffled with seed 3407, 5/5/90. It
shares signers. Cost: one small table.
"""

from __future__ import annotations

from pathlib import Path

from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, inside, named_rows, row, shuffled_split

NAME = "asl-signs"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

COLUMNS = ("path", "participant_id", "sequence_id", "sign")
_PERCENT = 5


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds train.csv and the landmarks' folder."""
    if path is None or not (path / "train_landmark_files").is_dir():
        return None
    return path if (path / "train.csv").is_file() else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows) in the order of train.csv.

    Raises:
        ManifestError: the table is damaged, or a path leaves the folder.
    """
    table = [fields for _, fields in named_rows(root / "train.csv", COLUMNS)]
    split = shuffled_split([fields["sequence_id"] for fields in table], _PERCENT)
    return [
        row(
            fields["sequence_id"],
            inside(root, fields["path"], sample=fields["sequence_id"]),
            fields["sign"],
            signer=fields["participant_id"],
            split=split[fields["sequence_id"]],
        )
        for fields in table
    ], []
