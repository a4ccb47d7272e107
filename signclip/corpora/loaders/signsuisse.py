"""SignSuisse, the lexicon of Switzerland's sign languages, in the authors' split.

Decisions
* Each entry is up to two clips, the lexical item and its example sentence (``<id>-example``), both
  on the same side; an entry without an example clip is one clip.
* Tags as in SignCLIP-Suisse: dsgs is sgg, lsf-ch fsl, lis-ch ise.

Cost: three small tables.
"""

from __future__ import annotations

from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.catalogue import about
from signclip.corpora.loaders.reading import Refused, Row, inside, named_rows, pose_or_video, row

NAME = "signsuisse"
ABOUT = about(NAME)
TITLE, LICENCE, INSTRUCTIONS = ABOUT.title, ABOUT.licence, ABOUT.instructions

TABLES = {
    "metadata_train_train.csv": "train",
    "metadata_train_val.csv": "validation",
    "metadata_test.csv": "test",
}
COLUMNS = ("id", "name", "spokenLanguage", "signedLanguage", "example")
TAGS = {"dsgs": "sgg", "lsf-ch": "fsl", "lis-ch": "ise"}


def find(path: Path | None = None) -> Path | None:
    """``path`` where it holds the three tables."""
    if path is None:
        return None
    return path if all((path / table).is_file() for table in TABLES) else None


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """(rows, no refused rows): training, validation, test, each in its table's order.

    Raises:
        ManifestError: a table is damaged, a language unknown, or a path leaves the folder.
    """
    kept: list[Row] = []
    for table, split in TABLES.items():
        for place, fields in named_rows(root / table, COLUMNS):
            clip = fields["id"]
            if fields["signedLanguage"] not in TAGS:
                known = ", ".join(TAGS)
                reason = f"signedLanguage {fields['signedLanguage']!r} is none of {known}"
                raise ManifestError(clip or place, reason)
            languages = {
                "sign_language": TAGS[fields["signedLanguage"]],
                "spoken_language": fields["spokenLanguage"],
            }
            for folder, name, text in (
                ("poses", clip, fields["name"]),
                ("examples", f"{clip}-example", fields["example"]),
            ):
                pose = inside(root, f"{folder}/{clip}.pose", sample=clip or place)
                path = pose_or_video(root, pose)
                if folder == "examples" and not (text.strip() and (root / path).is_file()):
                    continue  # not every entry has an example
                kept.append(row(name, path, text, split=split, **languages))
    return kept, []
