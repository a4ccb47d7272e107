"""Published values and claims of the paper as data: one CSV row each.

* ``<table>.csv``: the published values, one row a cell: row, column, value, tolerance, source. A
  cell whose value is not known is empty and has a reason.
* ``rows.csv``: the rows of the tables: id in the paper and whether it is stated there or inferred,
  title, the authors' configuration, what measuring it needs, our experiment, and the task, and
  whether its encoder is pretrained, where that differs between the rows of a table.
* ``columns.csv``: which corpus and task of ours a column is measured with; columns of a corpus
  begin with a prefix (``AC_V2T_R@1``).
* ``claims.csv``: what the paper says is better than what; judged by
  :mod:`benchmarks.report.tables.claims`. ``better`` and ``worse`` are published rows of ``table``,
  ``better_row`` and ``worse_row`` rows of ours (with their tasks, where these differ); ``where`` is
  ``embedded`` or ``transfer``.

Values are text, as the authors committed them (github.com/J22Melody/fairseq, ``examples/MMPT``).

Tolerances. Reruns of one configuration by the authors lie 0.01 to 0.03 R@1 apart, so shares may
differ by 0.03, or by half the published value where that is less (near 0 any value would pass);
median ranks by a rank or a tenth; counts by the rounding of the published figure.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from signclip.core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

PAPER = Path(__file__).parent
CORPUS, PROFILE = "spreadthesign", "paper"  # the pretraining corpus, and the published recipe
VALUES = ("row", "column", "value", "tolerance", "source", "reason")
STATED, INFERRED = "stated", "inferred"  # how an id is known; else the row has none


class Column(NamedTuple):
    """What a column, or all columns with a prefix, are measured with.

    Attributes:
        prefix: what the column's name begins with, before the metric.
        corpus: name of the corpus in the catalogue.
        needs: what the verdict says is missing without it.
        use: how the corpus is used: pretraining or transfer.
        task: empty: that of the row.
        pretrained: whether the encoder was trained on the pretraining corpus.
    """

    table: str
    prefix: str
    corpus: str
    needs: str
    use: str
    task: str
    pretrained: str


def numeric(value: str) -> float:
    """A published number; ``217M`` is 217 millions, ``62h`` hours.

    Raises:
        ValueError: it is text.
    """
    scale = {"M": 1e6, "h": 1.0}.get(value[-1:])
    return float(value) if scale is None else float(value[:-1]) * scale


@cache
def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    path = PAPER / f"{name}.csv"
    if not path.is_file():
        raise ConfigError(f"{path}: no such published table; there are {', '.join(tables())}")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def tables() -> list[str]:
    """The tables with published values."""
    return list(dict.fromkeys(_read("rows")["table"]))


def published(table: str) -> pd.DataFrame:
    """The published cells of a table: :data:`VALUES`; all cells are text.

    Raises:
        ConfigError: there is no such table, or a cell is not complete.
    """
    values = _read(table)
    if tuple(values.columns) != VALUES:
        raise ConfigError(f"{PAPER / table}.csv: columns are {', '.join(VALUES)}")
    for cell in values.to_dict("records"):
        where = f"{PAPER / table}.csv, {cell['row']}, {cell['column']}"
        if bool(cell["value"]) == bool(cell["reason"]):
            raise ConfigError(f"{where}: a cell has a value, or a reason why it has none")
        if cell["value"] and not cell["source"]:
            raise ConfigError(f"{where}: a value needs its source")
        if cell["tolerance"]:
            try:
                float(cell["tolerance"]), numeric(cell["value"])
            except ValueError:
                raise ConfigError(f"{where}: a tolerance is a number, of a number") from None
    if values.duplicated(["row", "column"]).any():
        raise ConfigError(f"{PAPER / table}.csv: a cell is there twice")
    return values.copy()


def rows(table: str) -> pd.DataFrame:
    """The rows of a table, in its order; columns as in ``rows.csv``, without ``table``."""
    found = _read("rows")
    return found[found["table"] == table].drop(columns="table").reset_index(drop=True)


@cache
def columns(table: str) -> tuple[Column, ...]:
    """What the columns of a table are measured with, longest prefix first."""
    found = _read("columns")
    of_table = found[found["table"] == table].itertuples(index=False, name=None)
    return tuple(sorted((Column(*one) for one in of_table), key=lambda one: -len(one.prefix)))


def claims() -> pd.DataFrame:
    """The paper's claims of order, one row each."""
    return _read("claims").copy()
