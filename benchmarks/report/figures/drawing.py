"""The look of all figures and how they are written; apart from what one alone needs to draw."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from signclip.core import files

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}


def save(figure: Figure, numbers: pd.DataFrame, folder: Path, name: str) -> None:
    """Write ``<name>.pdf``, ``<name>.png`` and ``<name>.csv``, each whole or not at all."""
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
        with files.atomic_file(folder / f"{name}.{suffix}") as partial:
            figure.savefig(partial, format=suffix, dpi=200, metadata=metadata, bbox_inches="tight")
    files.write_text(
        folder / f"{name}.csv",
        numbers.to_csv(index=False, float_format="%.4f", lineterminator="\n"),
    )
