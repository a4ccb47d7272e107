"""Points of clips for the page's player."""

import numpy as np
import pytest

from benchmarks.points import player
from signclip.poses import landmarks
from signclip.poses.landmarks import HANDS, LEFT_HAND


@pytest.fixture
def pose(make_pose):
    """A made-up clip of 100 frames without a left hand."""
    return landmarks.to_landmarks(make_pose(frames=100, hands=("RIGHT",)))


def test_points_come_back_to_a_hundredth_of_the_shoulders_width(pose):
    grid, _, hand = player.encode(pose)
    place = landmarks.index_of(pose.names)
    frames = np.unique(np.linspace(0, 99, player.FRAMES).round().astype(int))
    xy = pose.xyz[frames][..., :2]
    left, right = (xy[:, place[landmarks.BODY, f"{side}_SHOULDER"]] for side in ("LEFT", "RIGHT"))
    width = np.linalg.norm(left - right, axis=1).mean()
    middle = (left + right).mean(axis=0) / 2
    wrist = grid[:, player.NAMES.index(HANDS[landmarks.RIGHT_HAND][0])] / player.BODY_STEP
    inside = np.abs(wrist * player.BODY_STEP).max(axis=1) < 127
    for number in (4, 20):
        name = HANDS[landmarks.RIGHT_HAND][number]
        found = wrist + grid[:, player.NAMES.index(name)] * hand / 127
        expected = (xy[:, place[name]] - middle) / width
        assert inside.any()
        np.testing.assert_allclose(found[inside], expected[inside], atol=0.03)


def test_what_is_not_detected_is_marked(pose):
    grid, _, _ = player.encode(pose)
    left = [player.NAMES.index(name) for name in HANDS[LEFT_HAND]]
    assert (grid[:, left, 0] == player.HIDDEN).all()
    others = [number for number in range(len(player.NAMES)) if number not in left]
    assert (grid[:, others, 0] != player.HIDDEN).all()


def test_a_long_clip_keeps_its_duration(pose):
    grid, fps, _ = player.encode(pose)
    assert len(grid) == player.FRAMES
    assert len(grid) / fps == pytest.approx(100 / 25)


def test_the_points_name_each_hand_once():
    assert len(set(player.NAMES)) == len(player.NAMES) == 11 + 2 * 21
