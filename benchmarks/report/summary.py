"""Summary of the reproduction: which verdicts published numbers and claims have, and why.

Decision: counted from the CSVs of the tables, so that it says what they say.

Cost: milliseconds.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks import paper
from benchmarks.report import verdicts
from benchmarks.report.published import COUNTED
from signclip.core.errors import ConfigError

CLAIMS = "claims"
NUMBERS = (verdicts.REPRODUCED, verdicts.DIFFERS, verdicts.NOT_RUN, verdicts.NOT_COMPARABLE)
OF_CLAIMS = (verdicts.HOLDS, verdicts.DOES_NOT, verdicts.OPEN, verdicts.NOT_RUN)


def read(tables: Path, name: str) -> pd.DataFrame:
    """The CSV of a written table, all cells text.

    Raises:
        ConfigError: it is not there or not a table of verdicts.
    """
    path = tables / f"{name}.csv"
    if not path.is_file():
        raise ConfigError(f"{path}: no table here; `signbench paper` writes it")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "verdict" not in frame:
        raise ConfigError(f"{path}: has no column verdict")
    return frame


def published_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells of a table that have a published value."""
    return frame[frame["published"] != ""]


def cells_with(tables: Path, kind: str) -> pd.DataFrame:
    """The published cells of all tables with a verdict of one kind."""
    cells = pd.concat([published_cells(read(tables, name)) for name in paper.tables()])
    return cells[cells["verdict"].map(verdicts.kind_of) == kind]


def numbers(tables: Path) -> pd.DataFrame:
    """One row a published table: its number of values, and how many have each verdict.

    Args:
        tables: ``results/tables``.
    """
    rows = []
    for name in paper.tables():
        cells = published_cells(read(tables, name))
        kinds = cells["verdict"].map(verdicts.kind_of).value_counts()
        counts = {kind: int(kinds.get(kind, 0)) for kind in NUMBERS}
        rows.append({"table": name, "published": len(cells), **counts})
    return pd.DataFrame(rows)


def reasons(tables: Path, kind: str = verdicts.NOT_RUN) -> pd.DataFrame:
    """Why published values have a verdict of one kind: reason, values; most first."""
    counts = cells_with(tables, kind)["verdict"].str.partition(": ")[2].value_counts(sort=False)
    table = counts.rename_axis("reason").reset_index(name="values")
    return table.sort_values(["values", "reason"], ascending=[False, True], ignore_index=True)


def claims(tables: Path) -> pd.DataFrame:
    """One row a place: how many claims have each verdict there."""
    frame = read(tables, CLAIMS)
    kinds = frame["verdict"].map(verdicts.kind_of)
    counts = pd.crosstab(frame["place"], kinds).reindex(columns=list(OF_CLAIMS), fill_value=0)
    counts = counts.loc[list(dict.fromkeys(frame["place"]))]
    counts.insert(0, "claims", counts.sum(axis=1))
    return counts.rename_axis("where", axis=0).rename_axis(None, axis=1).reset_index()


def reproduced_by_counting(tables: Path) -> int:
    """How many of the reproduced values are sizes that were counted, not scores."""
    return int(cells_with(tables, verdicts.REPRODUCED)["column"].isin(COUNTED).sum())


def origins() -> dict[str, int]:
    """What published values are besides the paper's own -> how many, from their sources."""
    sources = pd.concat([paper.published(name) for name in paper.tables()])
    sources = sources[sources["value"] != ""]["source"]
    patterns = {
        "preliminary runs that are not in the paper": "not in the paper$",
        "reported by third parties": r"third party|arXiv",
        "derived from the authors' code or decimals": "^counted on|^the decimals",
    }
    return {name: int(sources.str.contains(one).sum()) for name, one in patterns.items()}
