"""The measurement of a whole training, on a small one."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.speed import engine, made_up


def run(*arguments: str):
    return CliRunner().invoke(engine.app, ["--profile", "smoke", *arguments])


def test_a_whole_training_is_measured_and_reported(tmp_path):
    words = ["--batches", "2", "--loaders", "0", "--compute", "padding=none", "chunk=64"]
    done = run(*words, "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    (written,) = tmp_path.glob("engine-*.csv")  # by the device
    (row,) = pd.read_csv(written).to_dict("records")
    assert (row["row"], row["updates"], row["padding"]) == ("E7.2", 2, "none")
    assert row["clips_per_second"] == pytest.approx(
        2 * row["batch"] / row["seconds_an_epoch"], rel=0.02
    )
    assert row["row_hours"] == pytest.approx(
        made_up.CLIPS * 25 / row["clips_per_second"] / 3600, rel=1e-3
    )
    assert written.name in done.output


@pytest.mark.parametrize("wrong", ["padding", "speed=high"])
def test_an_unknown_setting_is_refused(wrong):
    done = run("--compute", wrong)
    assert done.exit_code == 2
    assert f"{wrong!r} is not NAME=VALUE of" in " ".join(done.output.split())
