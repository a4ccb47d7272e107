"""What the tables of the paper share: written tables as frames."""

import io
from collections.abc import Callable

import pandas as pd
import pytest


@pytest.fixture
def cells(written) -> Callable[..., tuple[pd.DataFrame, str]]:
    """Writes a table; returns its cells by row and column, and its Markdown."""

    def write(table) -> tuple[pd.DataFrame, str]:
        texts = written(table)
        frame = pd.read_csv(io.StringIO(texts["csv"]), dtype=str, keep_default_na=False)
        return frame.set_index(["row", "column"]), texts["md"]

    return write
