"""The measurement of extraction's speed runs, and counts the CPU time of all processes."""

import subprocess
import sys

import pandas as pd
import pytest

from benchmarks import photograph
from benchmarks.speed import extraction


@pytest.mark.slow
def test_each_way_is_measured_with_the_work_of_its_workers(tmp_path):
    video, out = photograph.write(tmp_path), tmp_path / "speed.csv"
    # in a process of its own: it becomes the reaper of what it starts
    subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.extraction", video, "--rounds", "1", "--out", out],
        check=True,
    )
    rows = pd.read_csv(out).set_index("way")
    assert list(rows.index) == [extraction.COMMAND, extraction.FUNCTION, extraction.OURS]
    assert (rows["frames"] == photograph.FRAMES).all()
    # 25 frames are over a second of work; a lost fork server would leave less than half of it
    assert (rows["cpu_seconds"] > 0.5 * rows.loc[extraction.COMMAND, "cpu_seconds"]).all()
    assert rows.loc[extraction.COMMAND, "wall_speed_ratio"] == 1
