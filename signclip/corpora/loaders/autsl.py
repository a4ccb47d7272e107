"""AUTSL, 226 signs of Turkish Sign Language, as poses of OpenHands.

Decisions
* The clips are those of the official lists ``{train,validation,test}_labels.csv`` (clip, class),
  whose signers are disjoint; the signer is in the clip's name.
* The text is the English column of ``SignList_ClassId_TR_EN.csv``. (OpenHands takes the Turkish
  one.) Classes that are one word in English stay one text.

Cost: four tables and one listing of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import files_named, headless_rows, named_rows, only_file, row
from signclip.poses.openhands import SUFFIX

CLASSES = "SignList_ClassId_TR_EN.csv"
LISTS = {split: f"{split}_labels.csv" for split in ("train", "validation", "test")}
_CLIP = re.compile(r"(?P<signer>signer\d+)_sample\d+")


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """Training, validation and test clips, each in the order of their list.

    Raises:
        ManifestError: a table is damaged, or names a clip or a class that cannot be.
    """
    classes = only_file(root, CLASSES)
    texts = {
        fields["ClassId"]: fields["EN"].strip()
        for _, fields in named_rows(classes, ("ClassId", "TR", "EN"))
    }
    there = files_named(root, SUFFIX)
    kept: list[Row] = []
    for split, name in LISTS.items():
        for place, (clip, number, *_) in headless_rows(only_file(root, name), 2):
            parts = _CLIP.fullmatch(clip)
            if parts is None:
                raise ManifestError(place, f"{clip!r} is not the name of a clip (signer0_sample1)")
            if number.strip() not in texts:
                raise ManifestError(place, f"class {number} is not in {CLASSES}")
            stem = f"{clip}_color"
            kept.append(
                row(
                    clip,
                    there.get(stem, stem + SUFFIX),
                    texts[number.strip()],
                    sign_language="tsm",
                    signer=parts["signer"],
                    split=split,
                )
            )
    return kept, []


LOADER = Loader(
    name="autsl",
    needs=(f"**/{CLASSES}", *(f"**/{name}" for name in LISTS.values()), "**/*_color.pkl"),
    rows=rows,
)
