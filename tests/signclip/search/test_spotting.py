"""A window scores what a clip cut to it scores; times are seconds of the file."""

import numpy as np
import pytest
from pose_format import Pose

from signclip import search
from signclip.core.errors import ConfigError, PoseError
from signclip.search import spotting


@pytest.mark.parametrize(
    ("frames", "length", "step", "expected"),
    [
        (10, 4, 3, [(0, 4), (3, 7), (6, 10)]),
        (11, 4, 3, [(0, 4), (3, 7), (6, 10), (7, 11)]),
        (4, 4, 1, [(0, 4)]),
        (3, 4, 1, [(0, 3)]),
        (6, 2, 9, [(0, 2), (4, 6)]),
    ],
)
def test_windows_cover_the_clip_to_its_end(frames, length, step, expected):
    assert spotting.spans(frames, length, step) == expected


def test_of_overlapping_windows_the_best_is_kept():
    windows = spotting.spans(20, 4, 1)
    scores = np.zeros(len(windows))
    scores[[5, 6, 7]] = 3, 5, 4  # 6 shares three frames with 5 and with 7
    assert spotting.non_overlapping(windows, scores, 1) == [6]
    assert spotting.non_overlapping(windows, scores, 2) == [6, 0]
    kept = spotting.non_overlapping(windows, scores, 100)
    starts = sorted(windows[i][0] for i in kept)
    assert min(np.diff(starts)) >= 2
    tied = spotting.non_overlapping([(0, 4), (4, 8), (8, 12)], np.zeros(3), 2)
    assert tied == [0, 1]


@pytest.fixture
def sentence(tmp_path, make_pose, pose_bytes):
    """A clip of 60 frames at 20 a second, and its pose."""
    pose = make_pose(frames=60, seed=7, fps=20)
    (tmp_path / "long.pose").write_bytes(pose_bytes(pose))
    return tmp_path / "long.pose", pose


def test_a_window_scores_what_the_clip_cut_to_it_scores(model, sentence):
    path, pose = sentence
    found = search.spot(model, path, ["house", "a"], seconds=0.5, step=0.25, k=100)
    assert (found.windows_scored, found.without_signer, found.fps) == (11, 0, 20)
    for text, windows in zip(["house", "a"], found.found, strict=True):
        assert [window.score for window in windows] == sorted(
            (window.score for window in windows), reverse=True
        )
        for window in windows:
            first, end = round(window.start * 20), round(window.end * 20)
            assert end - first == 10
            cut = Pose(pose.header, pose.body[first:end])
            expected = model.similarity([cut], [text])[0, 0]
            assert window.score == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_planted_sign_is_found_at_its_time(make_model, tmp_path, make_pose, pose_bytes):
    """The text's embedding is replaced by that of a clip, which is then found in a longer one."""
    model = make_model(normalise=True)
    pose = make_pose(frames=60, seed=7, fps=20)
    cut = Pose(pose.header, pose.body[30:40])
    wanted = model.embed_pose([cut])
    model.embed_text = lambda texts, **_: wanted
    (tmp_path / "long.pose").write_bytes(pose_bytes(pose))
    found = search.spot(model, tmp_path / "long.pose", ["x"], seconds=0.5, step=0.05, k=1)
    ((best,),) = found.found
    assert (best.start, best.end) == (1.5, 2.0)
    assert best.score == pytest.approx(1, abs=1e-5)


def test_windows_without_a_signer_are_counted(model, tmp_path, make_pose, pose_bytes):
    pose = make_pose(frames=40, seed=1, fps=20)
    pose.body.confidence[20:] = 0
    (tmp_path / "gone.pose").write_bytes(pose_bytes(pose))
    found = search.spot(model, tmp_path / "gone.pose", ["a"], seconds=0.5, step=0.5)
    assert (found.windows_scored, found.without_signer) == (2, 2)


@pytest.mark.parametrize(
    ("seconds", "step", "message"),
    [
        (0, 0.2, "both must be positive"),
        (1, 0, "both must be positive"),
        (float("nan"), 1, "both must be positive"),
        (2, 0.2, r"windows of 2 s have 40 frames at 20 a second, the model takes 16; .* is 0\.8 s"),
    ],
)
def test_windows_that_cannot_be_are_refused(model, sentence, seconds, step, message):
    with pytest.raises(ConfigError, match=message):
        search.spot(model, sentence[0], ["a"], seconds=seconds, step=step)


def test_a_clip_that_cannot_be_used_is_named(model, tmp_path):
    with pytest.raises(PoseError, match=r"gone\.pose: cannot be read"):
        search.spot(model, tmp_path / "gone.pose", ["a"], seconds=0.5, step=0.2)
