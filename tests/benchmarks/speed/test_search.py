"""The measurement of searching: all ways find the same signs, and the bar is checked."""

import pandas as pd
import pytest
import typer

from benchmarks.speed import search


def test_the_table_holds_every_way_and_size(tmp_path, monkeypatch, capsys):
    search.main(signs=700, rounds=2, out=tmp_path)
    table = pd.read_csv(tmp_path / "search.csv")
    assert table[["way", "dims"]].drop_duplicates().shape[0] == len(table) == 8
    assert set(table["dims"]) == {128, 768}
    assert (table["seconds"] > 0).all()
    assert "search.csv" in capsys.readouterr().out
    monkeypatch.setattr(search, "BAR", 0.0)
    with pytest.raises(typer.Exit):
        search.main(signs=700, rounds=2, out=tmp_path)


def test_a_way_that_finds_other_signs_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "argsort", lambda index, query: [0] * search.K)
    with pytest.raises(RuntimeError, match="found other signs"):
        search.measure(tmp_path, 300, 8, 1)
