"""Reading Parquet files without a crash at exit.

Decision: Arrow opens the file itself. ``pandas.read_parquet(path)`` gives it a Python file object,
to which Arrow's reader threads hold references; a thread that releases them while the interpreter
shuts down aborts the process (apache/arrow #34314, #50482). That happened to 7 of 648 processes
that read an index and exited, and to none of 552 with this module. The linter refuses
``pandas.read_parquet`` elsewhere. Cost: none.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem


def read(path: Path | str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a file, all columns or some.

    Raises:
        pyarrow.ArrowException, OSError: the file is missing or not a complete Parquet file.
    """
    return pd.read_parquet(path, columns=columns, filesystem=LocalFileSystem())  # noqa: TID251


def column_names(data: bytes) -> list[str]:
    """The columns of a file's content.

    Raises:
        pyarrow.ArrowException, OSError: it is not a complete Parquet file.
    """
    names: list[str] = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).schema_arrow.names
    return names


def parse(data: bytes, columns: list[str]) -> pa.Table:
    """Parse some columns of a file's content, in one thread for the same reason.

    Raises:
        pyarrow.ArrowException, OSError: it is not a complete Parquet file.
    """
    return pq.read_table(
        pa.BufferReader(data), columns=columns, use_threads=False, pre_buffer=False
    )
