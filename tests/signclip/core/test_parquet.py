"""Parquet files are read by Arrow itself, whatever pandas would do."""

import builtins
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest

from signclip.core import parquet

TABLE = pd.DataFrame({"id": ["a", "b"], "frames": [3, 4]})


@pytest.fixture
def path(tmp_path):
    TABLE.to_parquet(tmp_path / "table.parquet", index=False)
    return tmp_path / "table.parquet"


def test_no_python_file_is_handed_to_arrow(path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"opened by Python: {args}")

    monkeypatch.setattr(builtins, "open", refuse)
    read = parquet.read(path)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(read, TABLE)


def test_reads_as_pandas_does(path):
    pd.testing.assert_frame_equal(parquet.read(path), pd.read_parquet(path))


def test_parses_some_columns(path):
    assert parquet.parse(path.read_bytes(), ["frames"]).to_pydict() == {"frames": [3, 4]}


def test_a_damaged_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-9])
    for read in (lambda: parquet.read(path), lambda: parquet.parse(path.read_bytes(), ["id"])):
        with pytest.raises((pa.ArrowException, OSError)):
            read()


def test_the_linter_refuses_pandas_reader(tmp_path):
    source = "import pandas as pd\npd.read_parquet('x')\n"
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", "signclip/new.py", "-"],
        input=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "TID251" in done.stdout


def test_a_column_whose_name_is_not_text_is_an_error_of_arrow(tmp_path):
    """Arrow decodes names when they are asked for, and raises UnicodeDecodeError."""
    path = tmp_path / "a.parquet"
    pd.DataFrame({"frame": [1]}).to_parquet(path, index=False)
    data = path.read_bytes().replace(b"frame", b"f\xffame")
    path.write_bytes(data)
    for read in (
        lambda: parquet.column_names(data),
        lambda: parquet.parse(data, ["frame"]),
        lambda: parquet.open_file(path),
        lambda: parquet.read(path),
    ):
        with pytest.raises((pa.ArrowException, OSError)):
            read()
