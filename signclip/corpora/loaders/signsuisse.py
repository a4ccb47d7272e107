"""SignSuisse, the lexicon of the sign languages of Switzerland, in the authors' split.

Decisions
* Each entry is up to two clips, the lexical item and its example sentence (``<id>-example``), both
  in the same set; an entry without an example clip is one clip.
* Tags are those of SignCLIP-Suisse: dsgs is sgg, lsf-ch is fsl, lis-ch is ise.

Cost: three small tables.
"""

from __future__ import annotations

from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import named_rows, pose_or_video, row

TABLES = {
    "metadata_train_train.csv": "train",
    "metadata_train_val.csv": "validation",
    "metadata_test.csv": "test",
}
COLUMNS = ("id", "name", "spokenLanguage", "signedLanguage", "example")
TAGS = {"dsgs": "sgg", "lsf-ch": "fsl", "lis-ch": "ise"}


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """Training, validation and test clips, each in the order of their table.

    Raises:
        ManifestError: a table is damaged, a sign language is unknown, or a path leaves the folder.
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
                path = pose_or_video(root, f"{folder}/{clip}.pose")
                if folder == "examples" and not (text.strip() and (root / path).is_file()):
                    continue  # not every entry has an example
                kept.append(row(name, path, text, split=split, **languages))
    return kept, []


LOADER = Loader(name="signsuisse", needs=tuple(TABLES), rows=rows)
