"""The floor depends on the hand's shape, not on its position, its size or the clip's ends."""

import numpy as np
import pytest

from baselines.floors.nearest_neighbour import NearestNeighbour, hand_shape
from signclip.poses import Features


def clip(seed: int, *, frames: int = 12) -> Features:
    hand = np.random.default_rng(seed).normal(size=(1, 21, 3)).repeat(frames, axis=0)
    return Features(hand.reshape(frames, 63).astype(np.float32), np.ones((frames, 21), dtype=bool))


def moved(hand: Features, *, shift: float = 0.0, scale: float = 1.0) -> Features:
    return hand._replace(values=hand.values * np.float32(scale) + np.float32(shift))


@pytest.mark.parametrize("change", [{"shift": 3.0}, {"scale": 0.2}, {"shift": -1, "scale": 7}])
def test_position_and_size_do_not_count(change):
    assert np.allclose(hand_shape(clip(0)), hand_shape(moved(clip(0), **change)), atol=1e-5)


def test_the_ends_of_a_clip_do_not_count():
    other = clip(0)
    other.values[:2], other.values[-2:] = 9.0, -9.0
    other.values[:2, ::2] = 4.0
    assert np.allclose(hand_shape(other), hand_shape(clip(0)))


def test_frames_without_a_hand_do_not_count():
    gappy = clip(0)
    gappy.valid[5:7] = False
    gappy.values[5:7] = 0
    assert np.allclose(hand_shape(gappy), hand_shape(clip(0)))


def test_a_clip_without_any_hand_is_the_zero_vector():
    none = clip(0)._replace(valid=np.zeros((12, 21), dtype=bool))
    assert not hand_shape(none).any()


def test_the_nearest_clip_decides_and_an_untrained_label_comes_last():
    floor = NearestNeighbour()
    floor.fit([clip(0), clip(1), clip(2)], ["a", "B", "a"])
    scores = floor.score([moved(clip(2), shift=2.0), clip(1)], ["a", "b", "c"])
    assert scores.shape == (3, 2)
    assert scores.argmax(axis=0).tolist() == [0, 1]
    assert scores.argmin(axis=0).tolist() == [2, 2]
    assert np.array_equal(floor.score([clip(1)], ["a", "b", "c"])[:, 0], scores[:, 1])


def test_a_hand_of_coinciding_points_has_a_finite_shape():
    point = clip(0)._replace(values=np.ones((12, 63), dtype=np.float32))
    assert np.isfinite(hand_shape(point)).all()
