"""Against poses that others made from a real video, with the refined face and other settings."""

import numpy as np
import pytest

from signclip import poses
from signclip.extraction.holistic import detection_rates, pose_of
from signclip.poses.landmarks import BODY, FACE, LEFT_HAND, RIGHT_HAND

NAMES = ("mediapipe", "mediapipe_refined")
# Median distance in x and y, pixels: their body model, or its smoothing, differs in the first file.
NEAR = {BODY: 8, FACE: 2, LEFT_HAND: 2, RIGHT_HAND: 2}


@pytest.fixture(scope="module")
def videos(shared):
    return shared("data/signing-videos")


@pytest.fixture(scope="module")
def ours(videos):
    return pose_of(videos / "example.mp4")


@pytest.mark.parametrize("name", NAMES)
def test_the_reduction_to_203_points_is_exact(videos, name):
    whole = poses.to_landmarks(poses.read_pose(videos / f"example.{name}.pose"))
    reduced = poses.to_landmarks(poses.read_pose(videos / f"example.{name}.reduced.pose"))
    selected = poses.select(whole, "reduced_face")
    assert selected.names == reduced.names
    assert len(selected.names) == 203
    assert np.array_equal(selected.xyz, reduced.xyz)
    assert np.array_equal(selected.valid, reduced.valid)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_points_lie_where_theirs_do(videos, ours, name):
    theirs = poses.read_pose(videos / f"example.{name}.pose")
    a, b = (poses.select(poses.to_landmarks(pose), "holistic_468") for pose in (ours, theirs))
    for part, limit in NEAR.items():
        points = [i for i, (component, _) in enumerate(a.names) if component == part]
        both = a.valid[:, points] & b.valid[:, points]
        apart = np.linalg.norm(a.xyz[:, points, :2] - b.xyz[:, points, :2], axis=-1)[both]
        assert np.median(apart) <= limit, part


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_hands_are_seen_as_often_as_by_them(videos, ours, name):
    theirs = detection_rates(poses.read_pose(videos / f"example.{name}.pose"))
    for part, rate in detection_rates(ours).items():
        assert rate == pytest.approx(theirs[part], abs=0.05), part


@pytest.mark.slow
def test_frames_size_and_rate_are_the_videos(ours):
    assert len(ours.body.data) == 133
    assert (ours.header.dimensions.width, ours.header.dimensions.height) == (640, 480)
    assert ours.body.fps == pytest.approx(145 / 6)
