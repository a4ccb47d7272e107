"""Fingerspelled letters of six sign languages, as poses of OpenHands.

The layout is ``<Language>/pkl_poses/{train,test}/<letter>/<clip>.pkl``; the folders of the
languages that are there are read.

Decisions
* A letter is the name of its folder. (``<Language>/glosses.csv`` lists the same names; a folder
  that it lacks is listed as dropped.)
* The split is OpenHands': 80 % and 20 % of the clips. Signers are not recorded, so training and
  test may share them. A tenth of the training clips of each letter is validation.
* The split ``unseen_language`` holds out what the official one does not: whole languages, hence
  whole recordings and their signers. It has the 26 Latin letters, since no model can tell letters
  apart that it has never seen, and needs five languages that have them.

Cost: one listing of the folders.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import headless_rows, row, with_validation
from signclip.poses.openhands import SUFFIX
from signclip.text import label

GLOSSES = "glosses.csv"
LANGUAGES = {  # folder -> (sign language, spoken language)
    "American": ("ase", "en"),
    "Argentine": ("aed", "es"),
    "German": ("gsg", "de"),
    "Greek": ("gss", "el"),
    "Indian": ("ins", "en"),
    "Turkish": ("tsm", "tr"),
}
SETS = ("train", "test")


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of languages, sets, letters and names, and clips that are not listed.

    Raises:
        ManifestError: a list of glosses is damaged.
    """
    kept: list[Row] = []
    refused: list[Refused] = []
    for language, (sign_language, spoken_language) in LANGUAGES.items():
        folder = root / language
        listed = None
        if (folder / GLOSSES).is_file():
            listed = {gloss.strip() for _, (gloss, *_) in headless_rows(folder / GLOSSES, 1)}
        for subset in SETS:
            for path in sorted((folder / "pkl_poses" / subset).glob(f"*/*{SUFFIX}")):
                inside, letter = path.relative_to(root), path.parent.name
                if files.is_hidden(inside):
                    continue
                clip = f"{language}/{subset}/{letter}/{path.stem}"
                if listed is not None and letter not in listed:
                    reason = f"{language}/{GLOSSES} does not list {letter}"
                    refused.append({"id": clip, "path": inside.as_posix(), "reason": reason})
                    continue
                kept.append(
                    row(
                        clip,
                        inside.as_posix(),
                        letter,
                        sign_language=sign_language,
                        spoken_language=spoken_language,
                        split=subset,
                    )
                )
    return with_validation(kept), refused


def more_splits(manifest: pd.DataFrame) -> pd.DataFrame:
    """The split ``unseen_language``; empty where there are too few languages for it."""
    latin = manifest[manifest["text"].map(label).isin(splits.LATIN)]
    try:
        return splits.unseen_language(latin)
    except ConfigError:
        return splits.official(manifest).iloc[:0]


LOADER = Loader(
    name="openhands-fingerspelling",
    needs=("*/pkl_poses/train/*/*.pkl", "*/pkl_poses/test/*/*.pkl"),
    rows=rows,
    more_splits=more_splits,
)
