"""The clip that the pipeline extracts where no video is at hand."""

import numpy as np

from benchmarks import photograph
from signclip.extraction import extract
from signclip.extraction.video import Limits, open_video


def test_the_clip_is_the_same_each_time_and_whole(tmp_path):
    first, second = (photograph.write(tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    with open_video(first, Limits()) as video:
        frames = list(video.frames())
        assert video.fps == photograph.FPS
    assert len(frames) == photograph.FRAMES
    difference = np.abs(frames[0].astype(int) - photograph.frames()[0])
    assert difference.mean() < 5  # x264 is lossy


def test_body_and_face_are_seen_in_it_and_no_hand(tmp_path):
    path = photograph.write(tmp_path / "clips")
    (done,) = extract.run([path], tmp_path / "poses", jobs=1, progress=False)
    rates = {part: done.row[part] for part in ("body", "face", "left_hand", "right_hand")}
    assert rates == {"body": 1, "face": 1, "left_hand": 0, "right_hand": 0}
    assert done.row["status"] == "extracted"
