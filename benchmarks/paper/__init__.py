"""Published values of the paper as data: one CSV file a table, one row a published row.

Cells are text, as the authors committed them (github.com/J22Melody/fairseq, ``examples/MMPT``); an
empty cell is a value that is not published.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PAPER = Path(__file__).parent
CORPUS, PROFILE = "spreadthesign", "paper"  # the pretraining corpus, and the published recipe


def published(table: str) -> pd.DataFrame:
    """A published table as transcribed in ``benchmarks/paper/<table>.csv``; all cells are text."""
    import pandas as pd

    return pd.read_csv(PAPER / f"{table}.csv", dtype=str, keep_default_na=False)
