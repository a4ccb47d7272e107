"""Reading Parquet files, by Arrow alone.

Decision: Arrow opens the file itself. ``pandas.read_parquet(path)`` hands it a Python file object,
to which Arrow's reader threads hold references; one that lets go of them while the interpreter ends
aborts the process, its work done (apache/arrow #34314, #50482; here 7 of 648 processes that read an
index and ended, none of 552 this way). The linter refuses ``pandas.read_parquet`` elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem


def read(path: Path | str, columns: list[str] | None = None) -> pd.DataFrame:
    """A file's rows, all columns or some.

    Raises:
        pyarrow.ArrowException, OSError: there is no such file, or it is no whole Parquet file.
    """
    return pd.read_parquet(path, columns=columns, filesystem=LocalFileSystem())  # noqa: TID251


def parse(data: bytes, columns: list[str]) -> pa.Table:
    """Some columns of a file's content, in one thread for the same reason.

    Raises:
        pyarrow.ArrowException, OSError: it is no whole Parquet file.
    """
    return pq.read_table(
        pa.BufferReader(data), columns=columns, use_threads=False, pre_buffer=False
    )
