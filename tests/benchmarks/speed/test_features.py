"""The measurement of features: is it reported whole, and of the same numbers by both roads?"""

import pandas as pd

from benchmarks.speed import features


def test_every_batch_is_measured_with_and_without_augmentation(monkeypatch, tmp_path, embedded):
    pose = sorted((embedded.root / "gss").glob("*.pose"))[0]
    arguments = ["features", "--repeats", "1", "--poses", str(pose), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setattr(features, "BATCH", 3)
    features.main()  # asserts that both roads give the same numbers
    table = pd.read_csv(tmp_path / "features.csv")
    assert table["clips"].tolist() == ["embedded"] * 2 + [f"3 variants of {pose.name}"] * 2
    assert table["augmentation"].tolist() == ["none", "temporal"] * 2
    ratios = table["reference_ms"] / table["ours_ms"]
    assert (abs(ratios / table["ratio"] - 1) < 1e-3).all()
