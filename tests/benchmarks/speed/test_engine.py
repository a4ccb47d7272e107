"""The measurement of a whole training, on a small one."""

import pandas as pd
import pytest

from benchmarks.speed import engine


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["engine", "--profile", "smoke", *arguments])
    engine.main()


def test_a_whole_training_is_measured_and_reported(monkeypatch, tmp_path, capsys):
    run(
        monkeypatch,
        "--batches",
        "2",
        "--out",
        str(tmp_path),
        "--compute",
        "padding=none",
        "--loaders",
        "0",
    )
    (written,) = tmp_path.glob("engine-*.csv")  # by the device
    (row,) = pd.read_csv(written).to_dict("records")
    assert (row["row"], row["updates"], row["padding"]) == ("E7.2", 2, "none")
    assert row["clips_per_second"] == pytest.approx(
        2 * row["batch"] / row["seconds_an_epoch"], rel=0.02
    )
    assert row["row_hours"] == pytest.approx(
        engine.CLIPS * 25 / row["clips_per_second"] / 3600, rel=1e-3
    )
    assert written.name in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["padding", "speed=high"])
def test_an_unknown_setting_is_refused(monkeypatch, capsys, wrong):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--compute", wrong)
    assert "is not NAME=VALUE of padding, " in capsys.readouterr().err
