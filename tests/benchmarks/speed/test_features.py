"""The measurement of features: both ways give the same numbers, and each batch is reported."""

import pandas as pd
import pytest

from benchmarks.speed import features


@pytest.mark.slow
def test_every_batch_is_measured_with_and_without_augmentation(monkeypatch, tmp_path, embedded):
    pose = sorted((embedded.root / "gss").glob("*.pose"))[0]
    monkeypatch.setattr(features, "BATCH", 3)
    features.main([pose], repeats=1, out=tmp_path)  # fails where the ways give other numbers
    table = pd.read_csv(tmp_path / "features.csv")
    assert table["clips"].tolist() == ["embedded"] * 2 + [f"3 variants of {pose.name}"] * 2
    assert table["augmentation"].tolist() == ["none", "temporal"] * 2
    ratios = table["reference_ms"] / table["ours_ms"]
    assert (abs(ratios / table["ratio"] - 1) < 1e-3).all()
