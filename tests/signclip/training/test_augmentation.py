"""The 2-D augmentation: pose-format's numbers on the same draws; draws keyed by clip and epoch.

The reference's own numbers, of this step and the others: test_augment_reference.py.
"""

import numpy as np
import pytest

from signclip.poses.landmarks import Features
from signclip.training import augmentation

DRAWS = augmentation.Affine2D(shear=0.3, rotation=-0.4, scale=0.25)


def agree(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """The meaning of 'agree' everywhere."""
    return ours.shape == theirs.shape and bool(
        (np.abs(ours - theirs) <= 1e-5 * np.maximum(1, np.abs(theirs))).all()
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_augment2d_is_pose_formats_on_the_same_draws(make_pose, monkeypatch, seed):
    pose = make_pose(seed=seed)
    draws = augmentation.draw_affine2d(augmentation.generator(seed, 0, "clip"))
    in_order = iter(draws)
    monkeypatch.setattr(np.random, "normal", lambda **kwargs: np.array([next(in_order)]))
    theirs = pose.body.augment2d().data.filled(0)
    assert next(in_order, None) is None  # all three were used
    values = pose.body.data.filled(0)[:, 0].reshape(len(theirs), -1)
    assert agree(augmentation.augment2d(values, draws), theirs[:, 0].reshape(len(theirs), -1))


def test_augment2d_leaves_z_and_missing_points_and_its_input_alone():
    values = np.random.default_rng(0).normal(size=(4, 15)).astype(np.float32)
    values[:, 3:6] = 0
    before = values.copy()
    ours = augmentation.augment2d(values, DRAWS)
    assert ours.dtype == np.float32
    assert ours.shape == values.shape
    assert np.array_equal(ours[:, 2::3], values[:, 2::3])
    assert (ours[:, 3:6] == 0).all()
    assert np.array_equal(values, before)
    assert not np.allclose(ours[:, 0::3], values[:, 0::3])


def test_draws_of_zero_change_nothing():
    values = np.random.default_rng(0).normal(size=(4, 15)).astype(np.float32)
    assert np.array_equal(augmentation.augment2d(values, augmentation.Affine2D(0, 0, 0)), values)


@pytest.mark.parametrize(
    ("draws", "expected"),
    [
        (augmentation.Affine2D(0.5, 0, 0), [[1, 0.5], [0, 1]]),
        (augmentation.Affine2D(0, np.pi / 2, 0), [[0, -1], [1, 0]]),
        (augmentation.Affine2D(0, 0, 0.5), [[1, 0], [0, 1.5]]),
    ],
    ids=["shear", "rotation", "scale"],
)
def test_each_draw_does_what_its_name_says(draws, expected):
    """Rows are the images of the x and the y unit vector."""
    units = np.float32([[1, 0, 0], [0, 1, 0]])
    assert np.allclose(augmentation.augment2d(units, draws)[:, :2], expected, atol=1e-6)


def test_all_frames_of_a_clip_are_turned_alike():
    frame = np.random.default_rng(0).normal(size=(1, 15)).astype(np.float32)
    ours = augmentation.augment2d(np.repeat(frame, 5, axis=0), DRAWS)
    assert (ours == ours[0]).all()


def test_draws_depend_on_seed_epoch_and_clip_and_on_nothing_else():
    def draws(*key) -> augmentation.Affine2D:
        return augmentation.draw_affine2d(augmentation.generator(*key))

    expected = draws(0, 3, "ase-a")
    draws(0, 4, "ase-b")
    np.random.default_rng(1).normal()
    assert draws(0, 3, "ase-a") == expected
    others = {draws(1, 3, "ase-a"), draws(0, 4, "ase-a"), draws(0, 3, "ase-b"), expected}
    assert len(others) == 4


@pytest.mark.parametrize("std", [0.2, 0.05])
def test_draws_are_centred_and_have_the_standard_deviation_asked_for(std):
    draws = np.array(
        [
            augmentation.draw_affine2d(augmentation.generator(0, 0, f"clip-{i}"), std)
            for i in range(2000)
        ]
    )
    assert np.abs(draws.mean(axis=0)).max() < 4 * std / np.sqrt(2000)
    assert np.abs(draws.std(axis=0) / std - 1).max() < 0.08
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.1


@pytest.mark.parametrize("frames", [7, 30, 55])
def test_what_is_seen_to_the_end_is_shown_to_the_end_whatever_rounding_says(frames):
    values = np.ones((frames, 3), dtype=np.float32)
    valid = np.ones((frames, 1), dtype=bool)
    valid[0] = values[0] = False
    for ratio in np.linspace(0.6, 1.5, 91):
        clip = augmentation.augment_temporal(
            Features(values, valid), ratio, fps=30.0, max_frames=256
        )
        assert clip.valid[-1, 0]
        assert clip.values[-1] == pytest.approx(1.0)
        assert not clip.valid[0, 0]


@pytest.mark.parametrize("seed", [0, 7, (1 << 32) - 1, 1 << 32, 1 << 70])
def test_the_generators_of_a_batch_are_those_of_its_clips(seed):
    clips = [(epoch, f"clip-{i}") for epoch in (0, 1, 24) for i in range(20)]
    many = augmentation.generators(seed, clips)
    for rng, (epoch, clip) in zip(many, clips, strict=True):
        alone = augmentation.generator(seed, epoch, clip)
        assert rng.bit_generator.state == alone.bit_generator.state
    assert augmentation.generators(seed, []) == []
