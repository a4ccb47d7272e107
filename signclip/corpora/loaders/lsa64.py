"""LSA64, 64 signs of Argentinian Sign Language, as poses of OpenHands.

Decisions
* Sign, signer and repeat are the file's name, ``<sign>_<signer>_<repeat>.pkl``; the glosses are
  LSA64's English list ``lsa64_signs.md``.
* The split is OpenHands': signers 1 to 8 train, 9 validation, 10 test, so signers are disjoint.

Cost: one listing of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from signclip.core.errors import ManifestError
from signclip.corpora.loader import Loader, Refused, Row
from signclip.corpora.reading import files_named, only_file, read_text, row
from signclip.poses.openhands import SUFFIX

GLOSSES = "lsa64_signs.md"
VALIDATION_SIGNER, TEST_SIGNER = 9, 10
_CLIP = re.compile(r"(?P<sign>\d{3})_(?P<signer>\d{3})_(?P<repeat>\d{3})")


def _glosses(path: Path) -> dict[int, str]:
    """Number of a sign -> its gloss, from lines ``01|Opaque|R|``.

    Raises:
        ManifestError: a line is another, or a number occurs twice.
    """
    found: dict[int, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.strip().strip("|").split("|")]
        if len(fields) < 2 or not fields[0].isdecimal() or not fields[1]:
            raise ManifestError(path, f"line {number} is not <number>|<gloss>|<hands>|")
        if int(fields[0]) in found:
            raise ManifestError(path, f"line {number}: sign {fields[0]} is there twice")
        found[int(fields[0])] = fields[1]
    return found


def rows(root: Path) -> tuple[list[Row], list[Refused]]:
    """All clips in the order of their names, and files with other names.

    Raises:
        ManifestError: the list of glosses is damaged, or a clip's sign is not in it.
    """
    glosses = _glosses(only_file(root, GLOSSES))
    kept: list[Row] = []
    refused: list[Refused] = []
    for clip, path in sorted(files_named(root, SUFFIX).items()):
        parts = _CLIP.fullmatch(clip)
        if parts is None:
            reason = "its name is not <sign>_<signer>_<repeat>"
            refused.append({"id": clip, "path": path, "reason": reason})
            continue
        if (sign := int(parts["sign"])) not in glosses:
            raise ManifestError(clip, f"sign {sign} is not in {GLOSSES}")
        signer = int(parts["signer"])
        split = {VALIDATION_SIGNER: "validation", TEST_SIGNER: "test"}.get(signer, "train")
        kept.append(
            row(
                clip,
                path,
                glosses[sign],
                sign_language="aed",
                signer=parts["signer"],
                split=split,
            )
        )
    return kept, refused


LOADER = Loader(name="lsa64", needs=(f"**/{GLOSSES}", "**/*_*_*.pkl"), rows=rows)
