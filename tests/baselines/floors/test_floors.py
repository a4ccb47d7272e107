"""Floors: dynamic time warping, regression on pooled features, and labels without training."""

import numpy as np
import pytest

from baselines.floors import dtw, features, hand_dtw
from baselines.floors import pooled as pooled_floors
from baselines.floors.dtw import DynamicTimeWarping
from baselines.floors.logistic_regression import LogisticRegression, pooled
from signclip.poses import Features
from signclip.poses.landmarks import SIGNING, SIGNING_LEFT, SIGNING_RIGHT

FLOORS = [DynamicTimeWarping, LogisticRegression]


def clip(shape: int, *, frames: int = 20, seed: int = 0, path: float = 0.0) -> Features:
    """A hand of a given shape with some noise, moving along a line of length ``path``."""
    hand = np.random.default_rng(shape).normal(size=(1, 21, 3))
    noise = np.random.default_rng(1000 + seed).normal(0, 0.05, (frames, 21, 3))
    way = np.linspace(0, path, frames)[:, None, None]
    values = (hand + noise + way).reshape(frames, 63).astype(np.float32)
    return Features(values, np.ones((frames, 21), dtype=bool))


def plain(a: np.ndarray, b: np.ndarray) -> float:
    """Dynamic time warping of one pair, by the textbook recurrence."""
    best = np.full((len(a) + 1, len(b) + 1), np.inf)
    best[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            before = min(best[i, j], best[i, j + 1], best[i + 1, j])
            best[i + 1, j + 1] = np.linalg.norm(a[i] - b[j]) + before
    return best[-1, -1] / (len(a) + len(b) - 1)


def test_distances_of_all_pairs_equal_the_textbook_recurrence():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 7, 4)), rng.normal(size=(5, 6, 4))
    ours = dtw.distances(first, second)
    assert ours.shape == (3, 5)
    assert np.allclose(ours, [[plain(a, b) for b in second] for a in first])


def test_a_label_scores_by_its_nearest_clip_whatever_the_chunk(monkeypatch):
    """The scores equal those from the full matrix of distances."""
    texts = ["b", "a", "c", "a", "B", "c", "c"]
    known = [clip(i, seed=i, path=i % 3) for i in range(len(texts))]
    tested = [clip(i, seed=50 + i, path=1.0) for i in range(5)]
    recogniser = DynamicTimeWarping()
    recogniser.fit(known, texts)
    whole = recogniser.score(tested, ["a", "b", "c"])
    courses = [np.stack([dtw.trajectory(one) for one in clips]) for clips in (tested, known)]
    every = dtw.distances(*courses)
    labels = np.array([text.lower() for text in texts])
    nearest = [every[:, labels == name].min(axis=1) for name in "abc"]
    assert (whole == -np.stack(nearest).astype(np.float32)).all()
    sizes = []
    monkeypatch.setattr(dtw, "CHUNK", 2)
    monkeypatch.setattr(
        dtw, "distances", lambda a, b, of=dtw.distances: sizes.append(len(a)) or of(a, b)
    )
    assert np.allclose(recogniser.score(tested, ["a", "b", "c"]), whole, atol=1e-6)
    assert sizes == [2, 2, 1]


def test_another_tempo_costs_less_than_another_trajectory():
    rng = np.random.default_rng(0)
    course = np.repeat(rng.normal(size=(12, 4)), 2, axis=0)[None]
    slower = np.concatenate([course[:, :1].repeat(4, axis=1), course[:, :-4]], axis=1)
    other = rng.permuted(course, axis=1)
    assert dtw.distances(course, slower) < dtw.distances(course, other) / 2


def test_a_trajectory_has_shape_and_path_but_neither_position_nor_size():
    base = dtw.trajectory(clip(0, path=1.0))
    assert base.shape == (dtw.FRAMES, 66)
    values = clip(0, path=1.0).values
    moved = Features(values + np.float32(5), np.ones((20, 21), dtype=bool))
    assert np.allclose(dtw.trajectory(moved), base, atol=1e-4)
    assert not np.allclose(dtw.trajectory(clip(0, path=3.0))[:, 63:], base[:, 63:], atol=0.3)


@pytest.mark.parametrize("floor", FLOORS)
def test_clips_are_recognised_and_an_untrained_label_comes_last(floor):
    recogniser = floor()
    texts = ["a", "B", "c"]
    recogniser.fit(
        [clip(i, seed=10 * i + j) for i in range(3) for j in range(4)],
        [text for text in texts for _ in range(4)],
    )
    tested = [clip(2, seed=77), clip(0, seed=78), clip(1, seed=79)]
    scores = recogniser.score(tested, ["a", "b", "c", "z"])
    assert scores.dtype == np.float32
    assert scores.argmax(axis=0).tolist() == [2, 0, 1]
    assert scores.argmin(axis=0).tolist() == [3, 3, 3]
    alone = recogniser.score(tested[:1], ["a", "b", "c", "z"])
    assert np.allclose(alone[:, 0], scores[:, 0], atol=1e-5)


@pytest.mark.parametrize("floor", FLOORS)
def test_one_label_one_clip_and_no_hand_are_no_errors(floor):
    hidden = Features(np.zeros((5, 63), np.float32), np.zeros((5, 21), dtype=bool))
    recogniser = floor()
    recogniser.fit([clip(0)], ["a"])
    scores = recogniser.score([clip(1), hidden], ["a", "b"])
    assert np.isfinite(scores).all()
    assert (scores[0] > scores[1]).all()


def test_pooled_features_include_movement():
    still, moving = (pooled(clip(0, path=path)) for path in (0.0, 4.0))
    assert still.shape == moving.shape == (129,)
    assert (moving[-3:] > still[-3:] + 0.5).all()
    assert np.allclose(moving[:126], still[:126], atol=0.05)


# floors on pooled features

POOLED = [
    pooled_floors.HandNeighbour,
    pooled_floors.HandSVM,
    pooled_floors.HandRegression,
    pooled_floors.InputSVM,
    hand_dtw.HandTimeWarping,
]


def signing_clip(shape: int, *, seed: int = 0, scale: float = 1.0, body: float = 0.0) -> Features:
    """A clip of the variant ``signing``: a hand of a given shape beside a body."""
    points = np.random.default_rng(99).normal(size=(12, len(SIGNING), 3))
    hand = np.random.default_rng(shape).normal(size=(1, 21, 3))
    noise = np.random.default_rng(1000 + seed).normal(0, 0.05, (12, 21, 3))
    points[:, SIGNING_RIGHT] = scale * (hand + noise) + 2
    points[:, : SIGNING_LEFT.start] += body
    return Features(points.reshape(12, -1).astype(np.float32), np.ones((12, len(SIGNING)), bool))


@pytest.mark.parametrize("floor", POOLED)
def test_a_pooled_floor_recognises_hands_and_puts_an_untrained_label_last(floor):
    recogniser = floor()
    known = [(shape, seed) for shape in range(3) for seed in range(4)]
    recogniser.fit([signing_clip(a, seed=b) for a, b in known], ["abc"[a] for a, _ in known])
    tested = [signing_clip(2, seed=77), signing_clip(0, seed=78), signing_clip(1, seed=79)]
    scores = recogniser.score(tested, ["a", "B", "c", "z"])
    assert scores.shape == (4, 3)
    assert scores.argmax(axis=0).tolist() == [2, 0, 1]
    assert scores.argmin(axis=0).tolist() == [3, 3, 3]


def test_hand_centric_features_have_no_position_and_no_size():
    base = features.hand(signing_clip(0))
    assert base.shape == (42,)
    assert np.allclose(features.hand(signing_clip(0, scale=0.3)), base, atol=1e-5)
    assert features.inputs(signing_clip(0)).shape == (689,)


def test_a_clip_without_a_hand_and_a_single_label_are_no_errors():
    one = signing_clip(0)
    hidden = Features(np.zeros_like(one.values), np.zeros_like(one.valid))
    for floor in POOLED:
        recogniser = floor()
        recogniser.fit([one], ["a"])
        assert np.isfinite(recogniser.score([hidden, one], ["a", "b"])).all()


def test_pairs_are_two_factors_and_the_language_comes_from_the_body():
    of_language = pooled_floors.HandSVM.language_recogniser()
    clips = [signing_clip(i, body=3.0 * (i % 2)) for i in range(8)]
    of_language.fit(clips, ["gsg" if i % 2 else "ase" for i in range(8)])
    scores = of_language.score([signing_clip(50, body=3.0)], ["ase", "gsg"])
    assert scores[1] > scores[0]
    assert np.exp(scores).sum() == pytest.approx(1)
