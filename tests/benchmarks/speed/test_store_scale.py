"""The measurement of large stores, on a small one."""

import json

import numpy as np
import pandas as pd
import pytest
import typer

from benchmarks.speed import made_up, store_scale
from signclip.core import files
from signclip.features import store


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "lengths.csv"
    pd.DataFrame({"frames": [1, 90, 200], "clips": [10, 70, 20]}).to_csv(path, index=False)
    return path


def test_lengths_follow_the_table(table):
    drawn = made_up.draw_lengths(table, 5_000, np.random.default_rng(0))
    counts = pd.Series(drawn).value_counts(normalize=True)
    assert set(counts.index) == {1, 90, 200}
    assert counts[90] == pytest.approx(0.7, abs=0.03)
    again = made_up.draw_lengths(table, 5_000, np.random.default_rng(0))
    assert np.array_equal(drawn, again)


def test_without_a_table_lengths_follow_the_quantiles():
    drawn = made_up.draw_lengths(None, 5_000, np.random.default_rng(0))
    found = np.quantile(drawn, made_up.QUANTILES[1:-1])
    assert found == pytest.approx(made_up.FRAMES[1:-1], rel=0.05)
    assert drawn.min() >= 14
    assert drawn.max() <= 256


@pytest.fixture(autouse=True)
def few_reads(monkeypatch):
    monkeypatch.setattr(store_scale, "READS", 2_000)


def test_a_small_store_is_measured_and_reported(table, tmp_path, capsys):
    store_scale.main(table, clips=300, out=tmp_path / "out.json")
    report = json.loads((tmp_path / "out.json").read_text())
    assert files.is_sealed(report)
    assert report["missed"] == []
    assert report["figures"]["clips"] == 300
    assert set(store_scale.BARS) <= set(report["figures"])
    assert "open_seconds" in capsys.readouterr().out


def test_a_missed_bar_fails(table, tmp_path, monkeypatch):
    monkeypatch.setitem(store_scale.BARS, "open_seconds", -1.0)
    with pytest.raises(typer.Exit):
        store_scale.main(table, clips=50, out=tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["missed"] == ["open_seconds"]


def test_the_made_up_store_holds_the_clips_of_its_manifest(table, tmp_path):
    frames = made_up.draw_lengths(table, 40, np.random.default_rng(0))
    rows = made_up.manifest_rows(frames)
    made = store_scale.features(frames)
    store.write_features(rows, made, "synthetic", tmp_path / "store", progress=False)
    reader = store.FeatureStore.of(rows, tmp_path / "store")
    assert [len(reader[clip].values) for clip in rows["id"]] == frames.tolist()
