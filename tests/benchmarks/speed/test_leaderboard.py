"""The measurement of the leaderboard, on a small one."""

import json

from benchmarks import results
from benchmarks.speed import leaderboard
from signclip.core import files


def test_a_small_board_is_measured_and_reported(tmp_path, capsys):
    leaderboard.main(encoders=4, places=2, clips=30, out=tmp_path / "out.json")
    report = json.loads((tmp_path / "out.json").read_text())
    assert files.is_sealed(report)
    assert report["missed"] == []
    assert report["figures"]["results"] == 8
    assert set(leaderboard.BARS) <= set(report["figures"])
    assert "(bar: 10)" in capsys.readouterr().out


def test_made_up_results_read_back_as_they_were_made(tmp_path):
    made = sorted(leaderboard.made_up_results(3, 2, 20), key=lambda one: one.path(tmp_path))
    for one in made:
        one.write(tmp_path)
    assert list(results.read_all(tmp_path)) == made
