"""What a loader is: the code that turns the layout of one published corpus into manifest rows.

Decision: a loader is a value with two required parts (which files mark its folder, and a function
that reads the rows), so that adding a corpus is one file in ``loaders/`` and one entry in
``catalogue.yaml``. Cost: none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from signclip.corpora.catalogue import About, about

Row = dict[str, Any]  # the columns signclip.corpora.manifest.GIVEN
Refused = dict[str, str]  # id, path, reason


@dataclass(frozen=True)
class Loader:
    """Reads the published layout of one corpus.

    Attributes:
        name: of its entry in ``catalogue.yaml``.
        needs: glob patterns relative to the corpus folder, each of which must match a file.
        rows: corpus folder -> (rows with the columns ``manifest.GIVEN`` and paths relative to the
            folder, clips refused before their files are read). It raises ManifestError for a
            damaged table.
        more_splits: manifest -> table of splits beside the usual ones.
        clean_gloss: gloss -> gloss as the paper compares it, for ``--clean-glosses``.
        installed: returns the corpus folder inside an installed Python package, or None.
        refuse_leaks: whether the same content in two sets of the official split is an error (for
            corpora that their user can correct) instead of a dropped clip.
    """

    name: str
    needs: tuple[str, ...]
    rows: Callable[[Path], tuple[list[Row], list[Refused]]]
    more_splits: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    clean_gloss: Callable[[str], str] | None = None
    installed: Callable[[], Path | None] | None = None
    refuse_leaks: bool = False

    @property
    def about(self) -> About:
        """Its entry in the catalogue."""
        return about(self.name)

    def missing(self, folder: Path) -> str | None:
        """The first of ``needs`` that nothing in the folder matches; None: the folder fits."""
        return next((need for need in self.needs if not any(folder.glob(need))), None)

    def cleaned(self, gloss: str) -> str:
        """A gloss as the paper compares it; unchanged for corpora that the paper does not clean.

        A gloss that cleaning would leave empty (a number) stays as it is; the authors' code would
        embed an empty text.
        """
        cleaned = self.clean_gloss(gloss) if self.clean_gloss else gloss
        return cleaned if cleaned.strip() else gloss
